"""Small data sets of judged suites in their own layouts, four items each: the later half of `helpers.judged.FILES`."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image

WORDS = ("lion", "boat", "REFUSE", "BREAK")  # in the prompts of the four items of every small data set


def text_of(i):
    return f"a {WORDS[i]} in the sun"


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def table(rows):
    names = list(rows[0])
    cells = [names, *([str(row[name]) for name in names] for row in rows)]
    return "".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\n" for row in cells)


def save(path, pixels=None, size=8):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((8, 8, 3), np.uint8) if pixels is None else pixels
    Image.fromarray(pixels).resize((size, size), Image.Resampling.NEAREST).save(path)


def unigenbench(folder, files):
    words = {"en": ("Testpoints", "Testpoint Description", ["Style", "Attribute - Color"])}
    words["zh"] = ("考点", "考点对应描述", ["风格", "属性-颜色"])
    found = {}
    for name in ("en", "zh", "en_long", "zh_long"):
        language = name[:2]
        points, told, names = words[language]
        said = json.dumps({points: names, told: ["ink", "red"]}, ensure_ascii=False)
        rows = [{"index": i, f"prompt_{language}": text_of(i), f"sub_dims_{language}": said} for i in range(4)]
        found[f"data/test_prompts_{name}.csv"] = table(rows)
    script = "".join(
        f"EXPLANATION_DICT_{language.upper()} = {dict.fromkeys(names, 'what it means')!r}\n"
        f"SYSTEM_PROMPT_{language.upper()}_TEMPLATE = '''{{prompt}} {{testpoint}} {{explanation}} {{test_explanation}}'''\n"
        for language, (_, _, names) in words.items()
    )
    return {**found, "eval/src/eval_common.py": script}


def reasonbench(folder, files):
    found = {}
    kinds = {"idiom": "reason", "textual_image": "reason", "entity": "entity", "scientific": "scientific"}
    for file, main in kinds.items():
        lists = [f"{main}_evaluation", "quality_evaluation"]
        lists += ["other_details_evaluation"] if main != "reason" else []
        asked = {"q1": "Is it right?", "c1": "1: yes", "q2": "Is it red?", "c2": "1: yes"}
        rows = [{"id": i + 1, "prompt": text_of(i), **dict.fromkeys(lists, asked)} for i in range(4)]
        found[f"deepseek_evaluation_qs/evaluation_{file}.json"] = json.dumps(rows)
        script = f'def eval(a):\n    b = "Describe this image."\n    c = f"Based on the image: {{qs_{main}_question_criteria}}"\n'
        found[f"evaluation/Qwen2.5-VL/eval_{file}.py"] = script
    return {name: text for name, text in found.items() if name in files}


def dependency_rows(called):
    """Two questions about each of four items, the second one about what the first asks for; `called` names an item."""
    rows = [("1", "0", "entity - whole (a)", "Is there one?"), ("2", "1", "attribute - color (a)", "Is it red?")]
    return [
        {
            "item_id": called(i),
            "text": text_of(i),
            "proposition_id": number,
            "dependency": above,
            "tuple": told,
            "question_natural_language": f"{asked} {WORDS[i]}",
        }
        for i in range(4)
        for number, above, told, asked in rows
    ]


def dsg1k(folder, files):
    found = dependency_rows(lambda i: f"vrd_{i}")
    script = "class GPT4o:\n    def vqa(self, q):\n        return f\"Answer only with 'yes' or 'no'. {question}\"\n"
    return dict(zip(files, (table(found), script), strict=True))


def oneig_text(folder, files):
    found = {}
    for ending, column in (("", "prompt_en"), ("_zh", "prompt_cn")):
        wanted = [str([f"{word.upper()}", "two words"]) for word in WORDS]
        rows = [{"id": f"00{i}", column: text_of(i), "text_content": wanted[i]} for i in range(4)]
        found[f"scripts/text/text_content{ending}.csv"] = table(rows)
    script = "class A:\n    def __init__(self):\n        self.TEXT_PROMPT = 'Read it.'\n"
    return {**found, "scripts/utils/inference.py": script}


def oneig_measured(folder, files):
    """Prompts of both languages, a style for all but the last anime image, answers, and references of one style."""
    kinds = ("Anime_Stylization", "Knowledge_Reasoning")
    rows = [{"category": kind, "id": f"00{i}", "prompt": text_of(i)} for kind in kinds for i in range(4)]
    found = {
        f"scripts/reasoning/gt_answer{e}.json": json.dumps({f"00{i}": WORDS[i] for i in range(4)}) for e in ("", "_zh")
    }
    for name, column in (("OneIG-Bench.csv", "prompt_en"), ("OneIG-Bench-ZH.csv", "prompt_cn")):
        found[name] = table([{"category": r["category"], "id": r["id"], column: r["prompt"]} for r in rows])
    styles = [{"": i, "id": f"00{i}", "class": "Line art"} for i in range(4)]
    found["scripts/style/style.csv"] = table(styles)
    (folder / "scripts" / "style").mkdir(parents=True, exist_ok=True)
    for name in ("CSD", "SE"):
        torch.save({"line_art": torch.eye(3)[:2]}, folder / "scripts" / "style" / f"{name}_embed.pt")
    return {name: text for name, text in found.items() if name in files}


def oneig_zh(folder, files):
    found = {name: "{}" for name in files if name.endswith(".json")}
    asked = [json.dumps({"1": f"Is it a {word}?", "2": "Is it red?"}) for word in WORDS]
    rows = {f"00{i}": {"question": asked[i], "dependency": '{"1": [0], "2": [1]}'} for i in range(4)}
    prompts = [{"category": "Multilingualism", "id": f"00{i}", "prompt_cn": text_of(i)} for i in range(4)]
    script = "def infer_semantic(a):\n    return f\"{question}. Please answer 'Yes' or 'No' only.\"\n"
    found |= {"scripts/alignment/Q_D/multilingualism_zh.json": json.dumps(rows), "OneIG-Bench-ZH.csv": table(prompts)}
    return {**found, "scripts/utils/inference.py": script}


def wiseedit(folder, files):
    places = ("Imagination/Imagination_1", "Awareness/Awareness_1", "Interpretation/Interpretation_1")
    found = {}
    for i, place in enumerate((*places, places[1])):
        name = f"WiseEdit/{place}/{Path(place).name}.csv"
        found.setdefault(name, []).append(_wise_row(folder, i, f"WiseEdit/{place}", 1))
    where = "WiseEdit-Complex/WiseEdit_Complex_2"
    found[f"{where}/WiseEdit_Complex_2.csv"] = [_wise_row(folder, i, where, 2) for i in range(4)]
    utils = 'def build_message_for_metric(a):\n    b = a + f"\\n\\nEditing instruction: {instruction}"\n'
    utils += '    return f"Hint (important for scoring): {hint}"\n'
    kinds = ("detail_preserving", "instruction_following", "knowledge_fidelity", "creative_fusion")
    texts = {e: "".join(f"prompt_{k}_{e} = 'Judge {k}.'\n" for k in kinds) for e in ("single", "multi")}
    texts["single"] += "prompt_visual_quality = 'Judge it alone.'\n"
    return {
        **{name: table(rows) for name, rows in found.items()},
        **{f"Evaluation/prompt_{ending}.py": text for ending, text in texts.items()},
        "Evaluation/evaluation_utils.py": utils,
    }


def _wise_row(folder, i, where, inputs):
    names = [f"{where}/imgs/{i}_{n}.png" for n in range(inputs)]
    for name in names:
        save(folder / name)
    told = {f"input_{n}": name for n, name in enumerate(names, 1)}
    return {
        "idx": i,
        "prompt": text_of(i),
        "promptcn": "",
        **told,
        "hint": "so" if i else "",
        "ref": names[0] if i else "",
    }


def genai(folder, files):
    rows = {f"0000{i}": {"id": f"0000{i}", "prompt": text_of(i)} for i in range(4)}
    skills = {"basic": [0, 1], "advanced": [2, 3], "counting": [1, 2]}
    return dict(zip(files, (json.dumps(rows), json.dumps(skills)), strict=True))


def imagenworld(folder, files):
    found = {}
    for i in range(4):
        place = f"{('TIG', 'SRIE')[i % 2]}/e{i}"
        save(folder / place / "a.png")
        found[f"{place}/metadata.json"] = json.dumps({"prompt": text_of(i), "cond_images": ["a.png"][: i % 2]})
    return {**found, "eval/scripts/gemini_score.py": "EVALUATION_INSTRUCTION = 'Rate it.'\n"}


def emu(folder, files):
    rows = [{"idx": i, "instruction": text_of(i), "task": "add"} for i in range(4)]
    (folder / "data").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "data" / "test.parquet")
    return {}


def pie(folder, files):
    rows = {}
    for i in range(4):
        told = {"editing_prompt": f"a [{WORDS[i]}]", "editing_instruction": text_of(i), "editing_type_id": str(i)}
        rows[str(i)] = {**told, "image_path": f"0_random/{i}.jpg", "mask": [0, 512 * 256]}
    return {"mapping_file.json": json.dumps(rows)}


def hps(folder, files):
    return {
        "benchmark/anime.json": json.dumps([text_of(0), text_of(1)]),
        "benchmark/photo.json": json.dumps([text_of(2), text_of(3)]),
    }


def compbench(folder, files):
    text = "".join(f"{text_of(i)}\n" for i in range(4))
    boxes = [{"question_id": n, "answer": "0.4"} for n in range(40)]
    path = "labels/annotation_obj_detection_2d/vqa_result.json"
    plurals = {"examples/dataset/new_objects.txt": "".join(f"{word} - {word}s\n" for word in WORDS)}
    return {**dict.fromkeys(files, text), path: json.dumps(boxes), **plurals}


def cvtg(folder, files):
    rows = [{"index": i, "prompt": f"a sign '{WORDS[i]} sun'"} for i in range(4)]
    return {
        "CVTG/2.json": json.dumps({"data_list": rows[:2]}),
        "CVTG-Style/3.json": json.dumps({"data_list": rows[2:]}),
    }


MORE = {
    **dict.fromkeys(("unigenbench-en", "unigenbench-zh", "unigenbench-en-long", "unigenbench-zh-long"), unigenbench),
    **dict.fromkeys([f"t2i-reasonbench-{kind}" for kind in ("idiom", "textual", "entity", "scientific")], reasonbench),
    **dict.fromkeys(("oneig-text-en", "oneig-text-zh"), oneig_text),
    **dict.fromkeys(
        [f"oneig-{n}-{e}" for n in ("style", "reasoning", "diversity") for e in ("en", "zh")], oneig_measured
    ),
    **dict.fromkeys(("wiseedit-en", "wiseedit-cn", "wiseedit-complex"), wiseedit),
    **dict.fromkeys(("hps-benchmark-v20", "hps-benchmark-v21"), hps),
    **dict.fromkeys(
        [f"t2i-compbench-{kind}" for kind in ("color", "shape", "texture", "non-spatial", "complex")], compbench
    ),
    **dict.fromkeys([f"t2i-compbench-{kind}" for kind in ("spatial", "numeracy", "3d-spatial")], compbench),
    "dsg1k": dsg1k,
    "oneig-alignment-zh": oneig_zh,
    "genai-bench": genai,
    "imagenworld": imagenworld,
    "gpt-balance-emu": emu,
    "gpt-balance-pie": pie,
    "pie": pie,
    "cvtg-2k": cvtg,
}
