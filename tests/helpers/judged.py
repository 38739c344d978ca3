"""Small data sets of judged suites in their own layouts, images of the world, and a judge that answers by a script."""

import csv
import io
import json
import math
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from evalkit.judges.base import Judge
from evalkit.judges.reply import RawReply, Reply, Token
from evalkit.protocols.judged import load_declaration
from evalkit.tasks.probe.evidence.record import AskedReply, Evidence, ImageEvidence
from evalkit.tasks.probe.judged.items import JudgedItem
from evalkit.tasks.probe.judged.layout import image_name
from evalkit.tasks.probe.judged.suite import judged_suite
from evalkit.world.prompts import world_prompts
from evalkit.world.render import render_scene
from helpers.judged_data import MORE, WORDS, dependency_rows, lines, save, text_of

REFUSED, BROKEN = "I'm sorry, but I can't.", "%%%"
MARKS = ((0, 0, 0), (9, 9, 9), (255, 0, 0), (0, 0, 255))  # the corners of the items' images


def _rows(**more):
    """Four rows whose texts name them."""
    return [{name: value(i) if callable(value) else value for name, value in more.items()} for i in range(4)]


def _table(rows):
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0].keys())
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _wise(folder, files, script):
    rows = _rows(prompt_id=lambda i: (1, 2, 801, 901)[i], Prompt=text_of, Explanation="why", Subcategory="s")
    names = [name for name in files if name.endswith(".json")]
    text = 'def build_evaluation_messages(d):\n    a = "You are one."\n    return f"Please evaluate {prompt_data[\'Prompt\']}"\n'
    return {
        names[0]: json.dumps(rows[:2]),
        names[1]: json.dumps(rows[2:3]),
        names[2]: json.dumps(rows[3:]),
        script: text,
    }


def _dpg(folder, files):
    found = dependency_rows(lambda i: WORDS[i])
    return {"dpg_bench/dpg_bench.csv": _table([found[0], *found])}  # the official script passes over the first row


def _gedit(folder, files):
    rows = [
        {
            "key": f"{language}{i}",
            "instruction": text_of(i),
            "task_type": ("add", "style")[i % 2],
            "instruction_language": language,
            "Intersection_exist": i < 2,
            "input_image": {"bytes": b"x", "path": None},
        }
        for language in ("en", "cn")
        for i in range(4)
    ]
    (folder / "data").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "data" / "train.parquet")
    names = (
        "_context_no_delimit",
        "_prompts_0shot_two_image_edit_rule",
        "_prompts_0shot_tie_rule_SC",
        "_prompts_0shot_rule_PQ",
    )
    return {
        next(iter(files)): "".join(
            f"{name} = '''{name} {'<instruction>' if 'tie' in name else ''}'''\n" for name in names
        )
    }


def _tiif(folder, files):
    rows = [
        {"type": "shape+color", "yn_question_list": [f"Is it a {w}? ", "Is it red? "], "yn_answer_list": ["yes", "no"]}
        for w in WORDS
    ]
    told = _rows(type="shape+color", short_description=text_of, long_description=lambda i: "long " + text_of(i))
    script = "".join(f"{name} = 'Look. ##YNQuestions##'\n" for name in ("raw_prompt", "raw_prompt_1", "raw_prompt_2"))
    return {
        "data/testmini_eval_prompts/shape+color_eval_prompts.jsonl": lines(rows),
        "data/testmini_prompts/shape+color_prompts.jsonl": lines(told),
        "eval/eval_with_vlm.py": script + "def generate_with_prompt():\n    return 'You are it.'\n",
    }


def _rise(folder, files):
    rows = _rows(
        index=lambda i: f"i{i}",
        category=lambda i: ("temporal_reasoning", "logical_reasoning", "causal_reasoning", "spatial_reasoning")[i],
        instruction=text_of,
        image=lambda i: f"s{i}.png",
        reference="r",
        reference_txt=lambda i: "3" if i == 1 else None,
    )
    names = ("prompt_consist", "prompt_reasoning", "prompt_generation", "prompt_spatial_cons", "prompt_spatial_ref")
    names += ("prompt_spatial_qual", "prompt_logical_cons_ans", "prompt_logical_txt")
    texts = "".join(f"{name} = 'Judge {name}: {{instruct}}'\n" for name in names)
    return {"data/datav2_total_w_subtask.json": json.dumps(rows), "utils.py": texts}


def _longtext(folder, files):
    names = list(files)
    rows = _rows(prompt_id=lambda i: 60 * i, prompt=text_of, category="sign", text=lambda i: [WORDS[i], "two words"])
    script = "class ImageEvaluator:\n    def __init__(self):\n        self.qwen_prompt = 'Read it.'\n"
    return {names[0]: lines(rows), names[1]: lines(rows), names[2]: script}


def _imgedit(folder, files):
    rows = {
        f"{100 + i}": {"id": f"a/{i}.png", "prompt": text_of(i), "edit_type": ("add", "style")[i % 2]} for i in range(4)
    }
    texts = json.dumps({name: f"Rate {name}: <edit_prompt>" for name in ("add", "style")})
    return dict(zip(files, (json.dumps(rows), texts), strict=True))


def _geneval2(folder, files):
    rows = _rows(
        prompt=text_of,
        atom_count=3,
        vqa_list=lambda i: [["Is it red?", "Yes"], [f"How many {WORDS[i]}s are there?", "two"]],
        skills=lambda i: ["attribute", "count"],
    )
    script = "def soft_tifa(a):\n    return '{} Answer in one word.'.format(a)\n"
    return {"geneval2_data.jsonl": lines(rows), "evaluation.py": script}


def _plus(folder, files):
    rows = _rows(
        tag=lambda i: ("color_attr", "counting")[i % 2],
        include=lambda i: [{"class": "dog", "count": 2, "color": "red"}],
        prompt=text_of,
    )
    script = (
        'SYSTEM_PROMPT = "You are."\ndef process_sample(i):\n    return f"Instruction: {instruction} {explanation}"\n'
    )
    return dict(zip(files, (lines(rows), script), strict=True))


def _vqa(folder, files):
    return {"prompts.jsonl": lines(_rows(id=lambda i: f"p{i}", prompt=text_of))}


def _reason(folder, files):
    for name, words in (("1-Left-Right", WORDS[:2]), ("6-Reasoning", WORDS[2:])):
        (folder / name).mkdir()
        for word in words:  # small_images draws over them; listing needs their names
            save(folder / name / f"{word}.png", np.zeros((8, 8, 3), np.uint8), 8)
        (folder / name / "text.txt").write_text(
            "".join(f"a {word} in the sun CLIP: a {word}\n" for word in sorted(words))
        )
    return {}


def _core(folder, files):
    names = [name for name in files if name.endswith(".json")]
    found = dict.fromkeys(names, "{}")
    rows = {
        f"C-MI-00{i}": {"Prompt": text_of(i), "Checklist": [{"question": f"Is it a {WORDS[i]}?"}, {"question": "Red?"}]}
        for i in range(4)
    }
    asked = 'f\'Prompt: {METADATA["Prompt"]} Question: {QUESTION["question"]}\''
    script = f"TEMPLATE = 'Only yes or no.'\ndef start_evaluation_gemini(a):\n    return {asked}\n"
    return {**found, names[0]: json.dumps(rows), "evaluate.py": script}


def _exam(folder, files):
    points = [{"question": "Is it there?", "score": 0.4}, {"question": "Is it right?", "score": 0.6}]
    rows = _rows(
        id=lambda i: f"Math_{i}",
        prompt=text_of,
        image_path=lambda i: f"Math/{i}.png",
        scoring_points=points,
        subject="Math",
    )
    script = "prompt_for_eval = 'Judge {{}} {prompt}: {scoring_points}'\n"
    return dict(zip(files, (lines(rows), script), strict=True))


def _oneig(folder, files):
    found = {name: "{}" for name in files if name.endswith(".json")}
    rows = {
        f"00{i}": {
            "question": json.dumps({"1": f"Is it a {WORDS[i]}?", "2": "Is it red?"}),
            "dependency": '{"1": [0], "2": [1]}',
        }
        for i in range(4)
    }
    prompts = [{"category": "General_Object", "id": f"00{i}", "prompt_en": text_of(i)} for i in range(4)]
    script = "def infer_semantic(a):\n    return f\"{question}. Please answer 'Yes' or 'No' only.\"\n"
    found |= {"scripts/alignment/Q_D/object.json": json.dumps(rows), "OneIG-Bench.csv": _table(prompts)}
    return {**found, "scripts/utils/inference.py": script}


def _kris(folder, files):
    kinds = ("color_change", "temporal_prediction", "viewpoint_change", "physics")
    rows = _rows(
        id=lambda i: str(i),
        type=lambda i: kinds[i],
        ori_img=lambda i: ["1-1.jpg", "1-3.jpg", "1-4.jpg"] if i == 1 else "a.jpg",
    )
    rows = [{**row, "ins_en": text_of(i), "explain_en": "why", "gt_img": "b.jpg"} for i, row in enumerate(rows)]
    for kind in kinds:
        for name in ("1-1", "1-3", "1-4", "a", "b"):
            save(folder / kind / f"{name}.jpg", np.zeros((8, 8, 3), np.uint8), 8)
    names = (
        "consist",
        "consist_temporal",
        "instruction_temporal",
        "view_instruction_following",
        "instruction_following",
    )
    names += ("dual_evaluation", "quality")
    script = "".join(f"prompt_{name} = 'Judge {name}: {{instruct}}'\n" for name in names)
    return dict(zip(files, (json.dumps(rows), script), strict=True))


FILES = {
    "wise": lambda folder, files: _wise(folder, files, "WISE_legacy/gpt_eval.py"),
    "wise-verified": lambda folder, files: _wise(folder, files, "vllm_eval.py"),
    "dpg": _dpg,
    "gedit": _gedit,
    "gedit-cn": _gedit,
    "imgedit": _imgedit,
    "geneval2": _geneval2,
    "geneval-plus": _plus,
    "longtext-en": _longtext,
    "longtext-zh": _longtext,
    "tiif-short": _tiif,
    "tiif-long": _tiif,
    "t2i-corebench": _core,
    "genexam": _exam,
    "oneig-alignment": _oneig,
    "kris": _kris,
    "reason-edit": _reason,
    "risebench": _rise,
    "vqascore": _vqa,
    **MORE,
}


def small_data(name, folder):
    """The files of the suite `name` for four items, below `folder`; their sha256 are not those that the suite names."""
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in FILES[name](folder, load_declaration(name).source.files).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def small_images(name, data, folder, size=48):
    """Images of the world under the suite's names, and sources of edits below `data`."""
    suite = judged_suite(name).opened(data)
    rule, scenes = suite.said.images, [render_scene(each.scene) for each in world_prompts()[:40]]
    for place, item in enumerate(suite.items):
        for sample in range(rule.samples):
            pixels = scenes[(place * 4 + sample) % len(scenes)].copy()
            pixels[:8, :8] = MARKS[next((i for i, word in enumerate(WORDS) if word in item.prompt), 0)]
            pixels = np.tile(pixels, (rule.grid, rule.grid, 1)) if rule.grid > 1 else pixels
            save(folder / image_name(rule, item, sample), pixels, size)
        for role, template in rule.sources.items():
            pixels = (
                scenes[place] if role != "mask" else np.uint8(255) * (np.indices((64, 64, 3))[0] < 20).astype(np.uint8)
            )
            save(data / template.format_map(item.metadata), pixels, size)
    return folder


def _corner(request):
    """The first pixel of the last image that is sent without loss."""
    images = [part for message in request.messages for part in message.parts if not isinstance(part, str)]
    image = Image.open(io.BytesIO(images[-1].data))
    return image.crop((0, 0, 1, 1)).convert("RGB").getpixel((0, 0)) if image.format == "PNG" else None


@dataclass
class ScriptedJudge(Judge):
    """Answers `good`; refuses where a text names REFUSE, and gives nonsense where it names BREAK (or the image's mark).

    `left`: replies until it is killed. `asked`: the keys of all requests.
    """

    good: str
    model: str = "fake-vlm"
    left: float = math.inf
    probability: float = 0.8
    asked: list = field(default_factory=list)

    def reply(self, request, deadline):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        self.asked.append(self.key(request))
        text = " ".join(part for message in request.messages for part in message.parts if isinstance(part, str))
        corner = _corner(request)
        used = {"prompt_tokens": 100, "completion_tokens": 10}
        if WORDS[2] in text or corner == MARKS[2]:
            return RawReply(text=REFUSED, finish="stop", **used)
        if WORDS[3] in text or corner == MARKS[3]:
            return RawReply(text=BROKEN, finish="stop", **used)
        if request.parameters.top_logprobs:
            p, rest = math.log(self.probability), math.log(1 - self.probability)
            top = (("Yes", p), ("2", p), ("no", rest))
            return RawReply(
                text="Yes",
                finish="length",
                tokens=(Token("Yes", p, top[:1] if "many" not in text else top[1:]),),
                **used,
            )
        return RawReply(text=self.good, finish="stop", **used)


def judged_rows(name, items):
    """Rows of the suite `name` for (fields, category, sample, {question: text}) of items that nobody asked a judge about."""
    suite = judged_suite(name)
    made, seen = {}, []
    for place, (fields, category, sample, texts) in enumerate(items):
        id = str(fields.get("id", place))
        made[id] = JudgedItem(id, "p", {**fields, "prompt": "p", "tag": category})
        replies = [
            AskedReply(question, Reply("k", "answered", "", "", RawReply(text=text)))
            for question, text in texts.items()
        ]
        seen.append(ImageEvidence(f"{id}-{sample}", id, sample, replies=tuple(replies)))
    suite = replace(suite, items=tuple(made.values()))
    return suite, suite.rules(Evidence(tuple(seen)))
