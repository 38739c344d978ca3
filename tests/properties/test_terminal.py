"""Whatever a prompt, a file or a model is called, the terminal shows it: no markup is obeyed, no control character sent."""

import contextlib
import io

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.cli.progress import BarProgress
from evalkit.cli.show import show_generated, show_runs
from evalkit.runs.store import Run
from evalkit.tasks.generate.rows import table

SNIPPETS = (
    "[/red]",
    "[bold]",
    "[link=x]",
    "\\[",
    ":apple:",
    "\x1b[31m",
    "\x1b]0;title\x07",
    "\x00\r\b",
    "\u202e",
    "\x9b31m",
    "\n",
)
COLUMN = st.lists(st.one_of(st.sampled_from(SNIPPETS), st.text(max_size=9)), max_size=3).map("".join)
COLUMN = COLUMN.map(lambda text: text.encode("utf-8", "ignore").decode())
ACTING = set("\x00\x07\x08\r\x1b\x7f\x9b\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2028\u2029")
SOME = settings(deadline=None, max_examples=40)


def shown(show):
    out = io.TextIOWrapper(io.BytesIO(), "utf-8", errors="strict", newline="")
    with contextlib.redirect_stdout(out):
        show()
    out.flush()
    return out.buffer.getvalue().decode()


@SOME
@given(data=st.data())
def test_a_comparison_is_printed_whatever_its_texts(data, tmp_path_factory):
    def text():
        return data.draw(COLUMN)

    shared = {"task": text(), "dataset": text(), "low": 1.0, "high": 2.0, "n": 3, "unit": text(), "better": "higher"}
    shared |= {"protocol": "evalkit-1", "ci_method": text()}
    results = [
        {**shared, "metric": text(), "value": 1.5, "status": "ok", "reason": None},
        {**shared, "metric": text(), "value": None, "status": "unavailable", "reason": text()},
    ]
    rows = [{"id": text(), "error": text(), "text_error": text()}, {"id": text(), "error": None, "text_error": None}]
    record = {"model": {"name": text()}, "protocols": [{"id": "evalkit-1"}]}
    run = Run(tmp_path_factory.getbasetemp() / "run", record, results, pa.Table.from_pylist(rows), [])
    printed = shown(lambda: show_runs([run, run], None))
    assert not ACTING & set(printed)
    assert ("texts could not be read" in printed) == bool(rows[0]["text_error"])


@SOME
@given(data=st.data())
def test_a_generation_is_printed_whatever_its_texts(data, tmp_path_factory):
    asked = [{"id": f"{i}{data.draw(COLUMN)}", "prompt": "", "error": data.draw(COLUMN)} for i in range(2)]
    record = {"data": {"name": data.draw(COLUMN)}, "timings": {"seconds_per_image": None}}
    run = Run(tmp_path_factory.getbasetemp() / "run", record, [], table(asked), [])
    printed = shown(lambda: show_generated(run))
    assert not ACTING & set(printed)
    assert "2 samples failed" in printed


@SOME
@given(title=COLUMN)
def test_a_bar_has_any_title(title):
    bar = BarProgress()
    bar.start(title, 3)
    bar.advance(1)
    assert not ACTING & set(bar.bar.tasks[0].description)
    bar.finish()
