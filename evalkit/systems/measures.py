"""What systems are measured by, what evalkit takes of it today, and the rules by which authors took their numbers."""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.metrics.captions import BLEU, CIDER
from evalkit.metrics.codes import CODES_USED
from evalkit.metrics.frechet import FID
from evalkit.metrics.fvd import FVD
from evalkit.metrics.generation import (
    ACCEPTANCE_RATE,
    EVALUATIONS,
    KV_KEYS,
    PEAK_MEMORY,
    SECONDS,
    SPEED_UP,
    STEP_COMPRESSION,
)
from evalkit.metrics.image_text import CLIPSCORE, HPSV2, IMAGE_REWARD, PICKSCORE
from evalkit.metrics.inception_score import DECLARED as INCEPTION
from evalkit.metrics.likelihood import PIXELS as BITS_PER_DIM
from evalkit.metrics.lpips import LPIPS
from evalkit.metrics.metric import Metric
from evalkit.metrics.paired import CANNY, IOU, MAP_SSIM, RMSE, SUBJECT
from evalkit.metrics.paired import LPIPS as PAIRED_LPIPS
from evalkit.metrics.paired import PSNR as PAIRED_PSNR
from evalkit.metrics.paired import SSIM as PAIRED_SSIM
from evalkit.metrics.prdc import DECLARED as MANIFOLDS
from evalkit.metrics.probe import score as probed
from evalkit.metrics.psnr import PSNR
from evalkit.metrics.spatial import DECLARED as SPATIAL
from evalkit.metrics.ssim import SSIM
from evalkit.metrics.text_rates import CER_ORIGINAL, WER_ORIGINAL
from evalkit.metrics.tsed import TSED
from evalkit.metrics.watermark import AUC, DETECTED_SHARE


@dataclass(frozen=True)
class Measure:
    """`verb` of evalkit takes it as `metric`; empty and None where none does yet."""

    title: str
    verb: str = ""
    metric: Metric | None = None

    @property
    def here(self) -> str:
        """VERB:NAME, empty where no verb takes it."""
        return f"{self.verb}:{self.metric.name}" if self.metric else ""


MEASURES: dict[str, Measure] = {
    # distributions of images
    "gfid": Measure("FID of generated images", "score", FID),
    "sfid": Measure("spatial FID of generated images", "score", SPATIAL[0]),
    "is": Measure("Inception score", "score", INCEPTION[0]),
    "precision-recall": Measure("precision and recall of generated images", "score", MANIFOLDS[0]),
    "coco-fid": Measure("FID against COCO images", "score", FID),
    "mjhq-fid": Measure("FID against the MJHQ-30K images", "score", FID),
    "prefix-fid": Measure("FID of completions against the originals", "score", FID),
    FVD.name: Measure("Fréchet video distance", "score", FVD),
    "bits-per-dim": Measure("bits for each pixel value, from the likelihood of pixels", "score", BITS_PER_DIM),
    # tokenizers
    "rfid": Measure("FID of reconstructions", "tokenizer", FID),
    "ris": Measure("Inception score of reconstructions"),
    PSNR.name: Measure("PSNR of reconstructions", "tokenizer", PSNR),
    SSIM.name: Measure("SSIM of reconstructions", "tokenizer", SSIM),
    "lpips": Measure("LPIPS of reconstructions", "tokenizer", LPIPS["vgg"]),
    "cer": Measure("character error rate of reconstructed text", "tokenizer", CER_ORIGINAL),
    "wer": Measure("word error rate of reconstructed text", "tokenizer", WER_ORIGINAL),
    "codebook-usage": Measure("share of the codebook that occurs", "tokenizer", CODES_USED),
    "invalid-rate": Measure("share of generated files that cannot be decoded"),
    # prompts and judges
    "geneval": Measure("GenEval", "probe", probed("geneval", "geneval")),
    "dpg": Measure("DPG-Bench", "probe", probed("dpg", "dpg")),
    "wise": Measure("WISE (WiScore)", "probe", probed("wise", "wise")),
    "reason-edit": Measure("Reason-Edit"),
    "gpt-balance": Measure("GPT-Balance: success and preservation of edits, by a judge"),
    "vqascore": Measure("VQAScore on GenAI-Bench", "probe", probed("vqascore", "vqascore")),
    "longtext-ocr": Measure(
        "LongText-Bench: share of the words that are read", "probe", probed("longtext-en", "longtext-en")
    ),
    "oneig-text": Measure("OneIG text rendering"),
    "clip-score": Measure("CLIP score of image and prompt", "score", CLIPSCORE),
    "clip-dir": Measure("CLIP similarity of the directions of an edit"),
    "clip-i": Measure("CLIP similarity to reference images", "score", SUBJECT["clip-vitb32"]),
    "dino-sim": Measure("DINO similarity to reference images"),
    "csd-style": Measure("style similarity (CSD)"),
    "div-lpips": Measure("diversity: LPIPS between the images of a prompt"),
    PICKSCORE.name: Measure("PickScore", "score", PICKSCORE),
    "imagereward": Measure("ImageReward", "score", IMAGE_REWARD),
    HPSV2.name: Measure("HPSv2", "score", HPSV2),
    "human-preference": Measure("preference of people"),
    "arch-classifier": Measure("classifier of the decoder's kind: autoregressive or diffusion"),
    "fake-detection": Measure("accuracy of detectors of generated images"),
    # pairs with a true image or a control map
    "paired-psnr": Measure("PSNR against the true image", "score", PAIRED_PSNR),
    "paired-ssim": Measure("SSIM against the true image", "score", PAIRED_SSIM),
    "paired-lpips": Measure("LPIPS against the true image", "score", PAIRED_LPIPS["alex"]),
    "paired-dists": Measure("DISTS against the true image"),
    "paired-l1": Measure("mean absolute difference from the true image"),
    "no-reference-iqa": Measure("quality without a reference: TOPIQ, MUSIQ, MANIQA, CLIPIQA, NIQE, with quantiles"),
    "control-canny-f1": Measure("F1 of Canny edges against the control map", "score", CANNY),
    "control-edge-ms-ssim": Measure("MS-SSIM of HED or lineart edges against the control map", "score", MAP_SSIM),
    "control-depth-rmse": Measure("root mean squared error of depth against the control map", "score", RMSE),
    "control-seg-miou": Measure("mean IoU of segments against the control map", "score", IOU),
    "tsed": Measure("thresholded symmetric epipolar distance of neighbouring views", "score", TSED),
    "pose-error": Measure("error of the driven path"),
    # cost
    "latency": Measure("seconds per image", "generate", SECONDS),
    "nfe": Measure("evaluations of the network an image", "generate", EVALUATIONS),
    "speedup": Measure("speed beside the undisturbed model", "generate", SPEED_UP),
    "training-speedup": Measure("speed of training beside the named method"),
    "flops-ratio": Measure("operations beside the named model"),
    "step-compression": Measure("codes for each evaluation, or accepted length", "generate", STEP_COMPRESSION),
    "acceptance-rate": Measure("share of drafted codes that are kept", "generate", ACCEPTANCE_RATE),
    "peak-memory": Measure("peak memory", "generate", PEAK_MEMORY),
    "kv-ratio": Measure("share of keys and values that are kept or saved", "generate", KV_KEYS),
    "gap-closed": Measure("share of the gap to the teacher that is closed"),
    "relative-gain": Measure("relative change beside the named model"),
    # provenance and safety
    "watermark-tpr": Measure(
        "share of marked images that are found, at a fixed share of false alarms", "watermark detect", DETECTED_SHARE
    ),
    "watermark-auc": Measure("area under the curve of detection", "watermark robustness", AUC),
    "erasure-object": Measure("rate at which a ResNet-50 sees the erased object"),
    "erasure-style": Measure("rate at which a classifier sees the erased style"),
    "erasure-nudity": Measure("exposed parts that NudeNet finds"),
    # understanding, reading, representation
    "understanding": Measure("understanding benchmarks: MMBench, MME, MMMU, POPE, SEED, GQA, MM-Vet and others"),
    "mmbench": Measure("MMBench"),
    "mme-p": Measure("MME, perception"),
    "mmmu": Measure("MMMU"),
    "mm-vet": Measure("MM-Vet"),
    "pope": Measure("POPE"),
    "caption-bleu4": Measure("BLEU-4 of captions", "score", BLEU),
    "caption-cider": Measure("CIDEr of captions", "score", CIDER),
    "caption-other": Measure("METEOR, ROUGE-L, SPICE, CLIPScore and BERTScore of captions"),
    "word-accuracy": Measure("share of cropped words that are read without error"),
    "linear-probe": Measure("ImageNet accuracy of a linear classifier on hidden states"),
    "finetuned-accuracy": Measure("ImageNet accuracy after fine-tuning"),
    "detection-ap": Measure("average precision on COCO: boxes and masks"),
    "video-seconds": Measure("length of video that stays coherent"),
    "peptide-recovery": Measure("precision and recall of amino acids and peptides"),
}

RULES = {
    "gfid-adm": "the TensorFlow evaluator of guided-diffusion against its ImageNet batch, 50,000 images",
    "gfid-torchfidelity-admstats": "torch-fidelity against the statistics adm_in256_stats.npz, 50,000 images",
    "gfid-torchfidelity-valdir": "torch-fidelity against a prepared folder of the ImageNet validation images",
    "gfid-pytorchfid": "pytorch-fid against statistics of the training set",
    "gfid-custom-stats": "the authors' own code and statistics file",
    "rfid-torchmetrics": "FID of torchmetrics on 8-bit images, reconstructions against the validation set",
    "geneval": "GenEval's 553 prompts, four images each, its detector and rules",
    "coco-karpathy": "pycocoevalcap on the 5,000 images of COCO's Karpathy test split",
}
