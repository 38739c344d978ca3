"""Evidence of images as JSON lines, plain or gzipped: what networks and judges saw, for rules to be applied to.

First an optional line of facts:

    {"evidence": 1, "suite": "geneval", "boxes": {"encoder": "mask2former-swin-s", "version": …, "weights_sha256": …,
     "floor": 0.05}, "colors": {"encoder": "clip-vitl14-224", …}, "judge": {"judge": "gpt-4o-2024-05-13", …}}

Then one line for each image; a second line of the same image may add what the first one lacks:

    image    text         its id, such as 00000/samples/0000.png
    prompt   number, text place in the suite from 0, or the prompt's id
    sample   number       which of the prompt's images it is, from 0 (default 0)
    size     [H, W]       pixels (optional)
    sha256   text         of its uint8 [H, W, 3] pixels (optional)
    boxes    list         {"class": text, "box": [left, top, right, bottom] in pixels, "score": 0 to 1,
                           "mask": {"size": [H, W], "counts": COCO's text of run lengths} (optional),
                           "color": text, "sureness": 0 to 1 (optional)}
    text     list         {"line": text, "score": 0 to 1}, from top to bottom
    answers  list         {"question": text, "answer": text, "probabilities": {text: 0 to 1} (optional)}
    replies  list         {"question": text, "state": answered | refused | unparsed | failed, "detail": text,
                           "value": any JSON, "text": text, "judge": text, "key": text}; question and state are needed
    options  object       options of the rules that differ for this image (optional), such as {"threshold": 0.5}

Sections that are absent were not looked for; an empty list was, and nothing was found. Detections only may be written in
a short form, one image on a line, in order of the suite's samples:

    {"m": place of the prompt, "d": {class: [[left, top, right, bottom, score], …]}, "c": {class: [color, …]}, "o": {…}}

"c" holds the colour of each detection in "d"; "o" is the short form of options.
"""
