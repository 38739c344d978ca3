"""Addresses on the command line hold no secret, and stand for no path."""

import pytest
from click.testing import CliRunner

from evalkit.cli import group
from evalkit.errors import EvalkitError

SECRETS = ("s3://me:SECRET@bucket/x", "s3://bucket/x?key=SECRET", "https://me:SECRET@host.invalid/x")
WORDS = {
    "data": "tokenizer -m jpeg-q75 --data {} --out {out}",
    "out": "tokenizer -m jpeg-q75 --data sample/photos --limit 1 --out {}",
    "weights": "tokenizer -m llamagen-vq16 --weights llamagen-vq16={} --data sample/photos --out {out}",
    "prompts": "generate -m world-ar -p {} --out {out}",
    "images": "probe world --images {} --out {out}",
    "reference": "score --images sample/photos --reference {} --out {out}",
    "endpoint": "probe wise --images sample/photos --judge http:{}#m --out {out}",
    "cache": "watermark detect sample/photos --key k --tokenizer world-vq --cache {} --out {out}",
    "run": "verify {}",
    "plan": "plan tokenizer -m jpeg-q75 --data {}",
}


def said(words, out, **more):
    """The sentence of the error that ends a command."""
    done = CliRunner().invoke(group, [each.format(out=out, **more) for each in words.split()], catch_exceptions=True)
    assert isinstance(done.exception, EvalkitError), (done.output, done.exception)
    return f"{done.output} {done.exception}"


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("place", sorted(WORDS))
def test_a_secret_in_an_address_is_refused_unquoted_and_nothing_is_written(tmp_path, monkeypatch, place, secret):
    monkeypatch.chdir(tmp_path)
    told = said(WORDS[place].replace("{}", secret), tmp_path / "out")
    assert "credentials in the environment" in told or "takes no address" in told
    assert "SECRET" not in told
    assert list(tmp_path.iterdir()) == []


def test_a_secret_in_a_file_of_options_is_refused_too(tmp_path):
    (tmp_path / "evalkit.toml").write_text(f'data = "{SECRETS[0]}"\n')
    told = said(
        "tokenizer -m jpeg-q75 --config {config} --out {out}", tmp_path / "out", config=tmp_path / "evalkit.toml"
    )
    assert "SECRET" not in told


@pytest.mark.parametrize("address", ["https://host.invalid/run", "s3://bucket/codes.sqlite"])
def test_an_address_is_no_folder_of_this_machine(tmp_path, monkeypatch, address):
    monkeypatch.chdir(tmp_path)
    words = WORDS["out"] if address.startswith("https") else WORDS["cache"]
    assert "takes no address of the kind" in said(words.replace("{}", address), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
