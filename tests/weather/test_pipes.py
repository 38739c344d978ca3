"""A named pipe in place of a file that evalkit expects is refused in one sentence, and nobody waits for its other end."""

import os
import signal
from pathlib import Path

import pytest

from evalkit.campaigns.read import read_campaign
from evalkit.erasure.pairs.pair import read_pairs
from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.judges.anchors import read_anchors
from evalkit.prompts.load import load_prompts
from evalkit.protocols.judged import read_declaration
from evalkit.provenance.verify import verify_run
from evalkit.runs.store import read_run
from evalkit.tasks.probe.evidence.read import read_evidence
from evalkit.tasks.probe.geneval.annotations import read_annotations
from evalkit.watermark.detection.calibration_file import read_calibration
from evalkit.watermark.methods.files import read_mark

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
READERS = {
    "images.png": open_images,
    "images.zip": open_images,
    "images.npz": open_images,
    "prompts.jsonl": load_prompts,
    "prompts.txt": load_prompts,
    "mark.json": read_mark,
    "calibration.npz": read_calibration,
    "evidence.jsonl": read_evidence,
    "evidence.jsonl.gz": read_evidence,
    "anchors.jsonl": read_anchors,
    "pairs.jsonl": read_pairs,
    "suite.toml": read_declaration,
    "campaign.toml": read_campaign,
    "annotations_x.csv": read_annotations,
    "run": read_run,
    "signed": verify_run,
}


@pytest.mark.parametrize("name", READERS)
def test_a_pipe_is_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it waits"))
    signal.alarm(30)
    try:
        with pytest.raises(EvalkitError) as caught:
            READERS[name](Path(tmp_path / name))
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert "\n" not in str(caught.value)
