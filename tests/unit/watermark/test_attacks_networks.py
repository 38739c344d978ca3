"""Attacks that hold a network: re-tokenisation, autoencoders, PGD, exchange of codes, diffusion."""

import json

import numpy as np
import pytest
import torch

from evalkit.errors import EvalkitError, WeightsError
from evalkit.images import open_images
from evalkit.images.geometry import fit_square, resize_exact
from evalkit.tokenizers.base import Codes, Tokenizer
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.watermark.attacks import forgery, removal
from evalkit.watermark.attacks.run import attack_folder
from evalkit.watermark.attacks.sizes import eight_bits, through, to_pixels, to_tensor, tokenizer_shape
from evalkit.watermark.attacks.spelling import Options, read_attack

CPU = Options(device="cpu")


@pytest.fixture(scope="module")
def world():
    return load_tokenizer("world-vq", device="cpu")


@pytest.fixture(scope="module")
def photos():
    found = open_images("sample/photos").read(0, 3)
    return [fit_square(each.image, 64, "short-bicubic") for each in found]


def attack(spelling, **options):
    return read_attack(spelling, Options(**{"device": "cpu", **options}))


def test_retokenizing_is_encoding_decoding_and_rounding_so_many_times(world, photos):
    expected = photos
    for passes in (1, 2):
        expected = to_pixels(world.decode(world.encode(to_tensor(expected))))
        found = attack(f"retokenize:world-vq:{passes}").apply_many(photos, [0, 1, 2])
        assert all(map(np.array_equal, found, expected))
    assert attack("retokenize:world-vq:1").name == "retokenize:world-vq"
    assert not np.array_equal(expected[0], photos[0])


def test_a_image_does_not_depend_on_its_batch(photos):
    for name in ("retokenize:world-vq", "adversarial:world-vq:4:3"):
        wide = attack(name, batch=3).apply_many(photos, [5, 6, 7])
        narrow = [attack(name).apply(image, seed) for image, seed in zip(photos, (5, 6, 7), strict=True)]
        for a, b in zip(wide, narrow, strict=True):
            assert (a != b).mean() < 0.01  # float sums differ in the last place


def test_other_sizes_go_through_the_nearest_that_fits_and_come_back(world, photos):
    odd = resize_exact(photos[0], (45, 83), "bicubic")
    assert tokenizer_shape(world, (45, 83)) == (48, 80)
    assert tokenizer_shape(world, (2, 3)) == (8, 8)
    again = attack("retokenize:world-vq").apply_many([odd, photos[1], odd], [0, 0, 0])
    assert [each.shape for each in again] == [odd.shape, photos[1].shape, odd.shape]
    assert np.array_equal(again[0], again[2])
    through = to_pixels(world.decode(world.encode(to_tensor([resize_exact(odd, (48, 80), "bicubic")]))))[0]
    assert np.array_equal(again[0], resize_exact(through, (45, 83), "bicubic"))
    assert "and back" in attack("retokenize:world-vq").size


def test_huge_images_are_seen_smaller_and_batches_hold_a_bounded_number_of_pixels(world):
    assert tokenizer_shape(world, (3000, 5000), 2**20) == (792, 1320)
    assert tokenizer_shape(world, (8, 80_000), 2**16) == (8, 25_600)
    seen = []

    def change(x, seeds):
        seen.append(tuple(x.shape))
        return x

    images = [np.zeros((32, 32, 3), np.uint8)] * 5
    assert len(through(images, [0] * 5, lambda shape: shape, change, batch=8, most=2 * 32 * 32)) == 5
    assert seen == [(2, 3, 32, 32), (2, 3, 32, 32), (1, 3, 32, 32)]
    assert attack("adversarial:world-vq:2").record()["most_pixels"] == 2**20


class Fixed(Tokenizer):
    """Takes 16 x 16 only; its decoder adds noise of the seed."""

    name, native_size, fixed_size, deterministic = "fixed", 16, True, False

    def encode(self, images):
        self.check_size(*images.shape[2:])
        return Codes(latent=images)

    def decode(self, codes, *, seed=0, noise=None):
        generator = torch.Generator().manual_seed(seed)
        return codes.values + 0.2 * torch.randn(codes.values.shape[1:], generator=generator)

    def tokens_per_image(self, height, width):
        return 1


def test_models_of_one_size_and_stochastic_decoders_are_served(photos):
    plain = attack("retokenize:world-vq")
    mine = type(plain)("retokenize:fixed", {"tokenizer": "fixed", "passes": 1}, CPU, Fixed())
    assert tokenizer_shape(mine.tokenizer, (64, 64)) == (16, 16)
    first, other, again = mine.apply_many([photos[0]] * 3, [1, 2, 1])
    assert first.shape == photos[0].shape
    assert np.array_equal(first, again)
    assert np.array_equal(other, mine.apply(photos[0], 2))


def test_rounding_is_half_up():
    x = torch.tensor([0.0, 0.5 / 255, 1.49 / 255, -1.0, 2.0]).reshape(1, 1, 1, 5)
    assert eight_bits(x).flatten().tolist() == [0, 1, 1, 0, 255]


def test_the_record_names_the_weights_and_a_released_model_is_loaded_again(world, photos):
    one = attack("retokenize:world-vq")
    assert one.record()["weights_sha256"] == world.weights_sha256
    loaded = one.tokenizer
    assert one.tokenizer is loaded
    one.release()
    assert one.tokenizer is not loaded
    chain = attack("retokenize:world-vq+jpeg:90")
    assert chain.network
    assert chain.record()["steps"][0]["weights_sha256"] == world.weights_sha256
    assert chain.apply(photos[0]).shape == photos[0].shape
    chain.release()


def test_networks_run_over_folders_too(photos, tmp_path):
    np.savez(tmp_path / "set.npz", np.stack(photos))
    run = attack_folder(
        tmp_path / "set.npz", [attack("retokenize:world-vq"), attack("plus:1")], tmp_path / "out", batch=2
    )
    assert [row["error"] for row in run.rows] == [None] * 6
    assert json.loads((tmp_path / "out/retokenize-world-vq/attack.json").read_text())["weights_sha256"]


def test_one_model_is_in_memory_at_a_time(photos, tmp_path):
    np.savez(tmp_path / "set.npz", np.stack(photos))
    held, kind = [], type(attack("retokenize:world-vq"))

    class Watched(kind):
        def change(self, x, seeds):
            held.append([each.name for each in chain if "tokenizer" in each.__dict__])
            return super().change(x, seeds)

    chain = [Watched(f"w{i}", {"tokenizer": "world-vq", "passes": 1}, CPU) for i in range(3)]
    run = attack_folder(tmp_path / "set.npz", chain, tmp_path / "out")
    assert held == [["w0"], ["w1"], ["w2"]]
    assert [row["attack"] for row in run.rows] == [f"w{i}" for i in range(3) for _ in range(3)]
    assert not any("tokenizer" in each.__dict__ for each in chain)


@pytest.fixture(scope="module")
def vae(tmp_path_factory):
    diffusers = pytest.importorskip("diffusers")
    path = tmp_path_factory.mktemp("vae") / "sd-vae"
    torch.manual_seed(0)
    kinds = {"down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}
    diffusers.AutoencoderKL(
        block_out_channels=(8, 8, 8, 8), norm_num_groups=4, latent_channels=4, **kinds
    ).save_pretrained(path)
    return path


def test_an_autoencoder_gives_its_reconstruction_and_noise_comes_by_seed(vae, photos):
    model = load_tokenizer("sd-vae-ft-mse", vae, device="cpu")
    plain = attack("vae:sd-vae-ft-mse", weights=(str(vae),))
    peer = to_pixels(model.decode(model.encode(to_tensor(photos))))
    assert all(map(np.array_equal, plain.apply_many(photos, [0, 0, 0]), peer))
    noisy = attack("vae:sd-vae-ft-mse:1", weights=(f"sd-vae-ft-mse={vae}",))
    first = noisy.apply(photos[0], 1)
    assert np.array_equal(first, noisy.apply(photos[0], 1))
    assert not np.array_equal(first, peer[0])


def test_latent_noise_is_in_units_of_the_latents_spread(photos):
    kind = type(read_attack("vae:sd-vae-ft-mse"))

    class Flat(Fixed):
        fixed_size, deterministic = False, True

        def decode(self, codes, *, seed=0, noise=None):
            return codes.values

    weak = kind("vae:flat:0.1", {"tokenizer": "flat", "sigma": 0.1}, CPU, Flat())
    x = to_tensor([photos[0]])
    spread = float(x.std())
    moved = weak.change(x, [3])
    assert float((moved - x).std()) == pytest.approx(0.1 * spread, rel=0.03)


def test_discrete_models_are_sent_to_retokenize(photos):
    with pytest.raises(EvalkitError, match="type retokenize:world-vq"):
        attack("vae:world-vq").apply(photos[0])


def test_pgd_stays_within_its_bound_and_moves_codes_more_than_noise_of_that_size(world, photos):
    x = to_tensor(photos)
    before = world.encode(x).indices
    pgd = attack("adversarial:world-vq:2:20")
    moved = pgd.apply_many(photos, [1, 2, 3])
    steps = np.abs(np.stack(moved).astype(int) - np.stack(photos))
    assert steps.max() == 2
    noise = np.stack(photos).astype(int) + np.random.default_rng(0).choice([-2, 2], np.stack(photos).shape)
    noisy = [each.clip(0, 255).astype(np.uint8) for each in noise]
    lost = [(world.encode(to_tensor(each)).indices != before).float().mean() for each in (moved, noisy)]
    assert lost[0] > 2 * lost[1]
    assert lost[0] > 0.1
    assert all(map(np.array_equal, moved, pgd.apply_many(photos, [1, 2, 3])))


def test_pgd_needs_a_model_with_gradients(photos):
    with pytest.raises(EvalkitError, match="has no gradients"):
        attack("adversarial:jpeg-q75:2:1").apply(photos[0])
    assert dict(attack("adversarial:world-vq:4").parameters)["steps"] == 200  # as WAVES


def green(v, seed=0):
    return torch.rand(v, generator=torch.Generator().manual_seed(seed)) < 0.5


def test_removal_takes_green_away_and_forgery_puts_it_everywhere(world, photos):
    colours = green(world.vocab_size)

    def share(images):
        return float(colours[world.encode(to_tensor(images)).indices].float().mean())

    seeds = [0] * 3
    plain = share(attack("retokenize:world-vq").apply_many(photos, seeds))
    removed = share(removal(world, colours).apply_many(photos, seeds))
    forged = share(forgery(world, colours).apply_many(photos, seeds))
    half = share(forgery(world, colours, fraction=0.5).apply_many(photos, seeds))
    assert removed < 0.7 * plain
    assert forged > plain + 0.2
    assert plain < half < forged


def test_lists_come_from_files_and_their_digest_is_recorded(world, photos, tmp_path):
    colours = green(world.vocab_size)
    np.save(tmp_path / "stolen.npy", colours.numpy())
    spelled = attack(f"forgery:world-vq:{tmp_path}/stolen.npy:0.5")
    direct = forgery(world, colours, fraction=0.5)
    assert np.array_equal(spelled.apply(photos[0]), direct.apply(photos[0]))
    assert spelled.record()["parameters"]["list"] == "stolen.npy"
    assert len(spelled.record()["parameters"]["list_sha256"]) == 64
    assert np.array_equal(
        attack(f"removal:world-vq:{tmp_path}/stolen.npy").apply(photos[0]), removal(world, colours).apply(photos[0])
    )
    direct.release()
    assert direct.tokenizer is world  # a model that was given is not let go


def test_lists_of_the_wrong_kind_are_refused(world, photos, tmp_path):
    np.save(tmp_path / "scores.npy", np.ones(4))
    with pytest.raises(EvalkitError, match=r"is not bool \[V\]"):
        attack(f"removal:world-vq:{tmp_path}/scores.npy")
    with pytest.raises(EvalkitError, match=r"fraction lies in \[0, 1\]"):
        removal(world, green(1024), fraction=1.5)
    with pytest.raises(EvalkitError, match=r"allowed is bool \[1024\]"):
        removal(world, green(7)).apply(photos[0])
    bare = attack("retokenize:world-vq")
    with pytest.raises(EvalkitError, match="has no list"):
        type(removal(world, green(7)))("x", {"tokenizer": "world-vq"}, CPU, world).apply(photos[0])
    assert bare.given is None


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    """A tiny Stable Diffusion of random weights: 16 px, 4 channels of latents at stride 2."""
    diffusers, transformers = pytest.importorskip("diffusers"), pytest.importorskip("transformers")
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("pipe") / "tiny"
    words = ["<|startoftext|>", "<|endoftext|>", "a</w>"]
    (path.parent / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (path.parent / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = transformers.CLIPTokenizer(
        str(path.parent / "vocab.json"), str(path.parent / "merges.txt"), model_max_length=8
    )
    text = transformers.CLIPTextModel(
        transformers.CLIPTextConfig(
            bos_token_id=0, eos_token_id=1, pad_token_id=1, hidden_size=8, intermediate_size=8, num_attention_heads=1,
            num_hidden_layers=1, vocab_size=3, max_position_embeddings=8,
        )
    )  # fmt: skip
    unet = diffusers.UNet2DConditionModel(
        sample_size=8, block_out_channels=(8, 8), layers_per_block=1, norm_num_groups=4, cross_attention_dim=8,
        attention_head_dim=4, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )  # fmt: skip
    vae = diffusers.AutoencoderKL(
        block_out_channels=(8, 8), down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2, norm_num_groups=4,
    )  # fmt: skip
    scheduler = diffusers.DDIMScheduler(
        num_train_timesteps=1000, clip_sample=False, set_alpha_to_one=False, steps_offset=1
    )
    diffusers.StableDiffusionPipeline(
        vae=vae, text_encoder=text, tokenizer=tokenizer, unet=unet, scheduler=scheduler, safety_checker=None,
        feature_extractor=None, requires_safety_checker=False,
    ).save_pretrained(path)  # fmt: skip
    return path


def test_diffusion_goes_to_the_models_size_and_back_and_depends_on_the_seed(pipeline, photos):
    one = attack(f"diffusion:{pipeline}:0.1")
    assert (one.side, one.shape_for((64, 64)), one.shape_for((30, 61))) == (16, (16, 16), (16, 32))
    wide = photos[0][:30]
    first = one.apply(wide, 3)
    assert first.shape == wide.shape
    assert first.dtype == np.uint8
    assert np.array_equal(first, one.apply(wide, 3))
    assert all(map(np.array_equal, one.apply_many([wide, photos[1]], [3, 1]), (first, one.apply(photos[1], 1))))


def test_diffusion_is_the_librarys_img2img_with_an_empty_prompt(pipeline, photos):
    import diffusers
    from PIL import Image

    from evalkit.watermark.attacks.base import seed_of

    small = resize_exact(photos[0], (16, 16), "bicubic")
    peer = diffusers.StableDiffusionImg2ImgPipeline.from_pretrained(pipeline, safety_checker=None)
    peer.set_progress_bar_config(disable=True)
    wanted = Image.fromarray(small)
    for number in range(2):
        generator = torch.Generator().manual_seed(seed_of(5, f"pass {number}"))
        wanted = peer("", wanted, 0.06, 50, guidance_scale=7.5, generator=generator).images[0]
    assert np.array_equal(attack(f"diffusion:{pipeline}:0.06:2").apply(small, 5), np.asarray(wanted))


def test_diffusion_records_its_schedule_and_its_weights(pipeline):
    one = attack(f"diffusion:{pipeline}")
    record = one.record()
    assert (record["steps"], record["guidance"], record["parameters"]["strength"]) == (50, 7.5, 0.2)
    assert len(record["weights_sha256"]) == 64
    assert record["versions"]["diffusers"]
    loaded = one.pipeline
    one.release()
    assert one.pipeline is not loaded
    elsewhere = attack("diffusion:some/repo", weights=(f"some/repo={pipeline}",))
    assert elsewhere.folder_of_model == pipeline


def test_folders_that_hold_no_img2img_model_are_refused(pipeline, photos, tmp_path):
    with pytest.raises(WeightsError, match="no readable model_index"):
        attack(f"diffusion:{tmp_path}").apply(photos[0])
    index = json.loads((pipeline / "model_index.json").read_text())
    (tmp_path / "model_index.json").write_text(json.dumps({**index, "unet": ["own_code", "Net"]}))
    with pytest.raises(WeightsError, match="code of the"):
        attack(f"diffusion:{tmp_path}").apply(photos[0])
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(WeightsError, match="cannot be loaded for img2img"):
        attack(f"diffusion:{tmp_path}").apply(photos[0])


def test_a_list_stolen_from_marked_images_takes_the_mark_away(world):
    """The whole way of a thief: marked and clean images, their codes, the histogram, removal by the stolen list."""
    from evalkit.watermark.attacks import list_auc, theft_histogram
    from evalkit.watermark.attacks.theft import occurring

    colours, rng = green(world.vocab_size, 3), np.random.default_rng(0)
    photos = [fit_square(each.image, 256, "short-bicubic") for each in open_images("sample/photos").read(0, 12)]
    places = [(photos[i % len(photos)], *(int(v) for v in rng.integers(0, 193, 2))) for i in range(120)]
    plain = [image[top : top + 64, left : left + 64] for image, top, left in places]
    marked = forgery(world, colours).apply_many(plain[:60], [0] * 60)
    stolen_from, clean = (world.encode(to_tensor(each)).indices.numpy() for each in (marked, plain[60:]))
    scores = theft_histogram(stolen_from, clean, world.vocab_size)
    seen = occurring(np.concatenate([stolen_from, clean]), world.vocab_size, times=3)
    assert list_auc(scores, colours.numpy(), among=seen) > 0.6  # re-encoding loses part of the mark
    attacked = removal(world, torch.from_numpy(scores > 0)).apply_many(marked, [0] * 60)
    share = [float(colours[world.encode(to_tensor(each)).indices].float().mean()) for each in (plain, marked, attacked)]
    assert share[1] > share[0] + 0.1
    assert share[2] < share[1] - 0.1
