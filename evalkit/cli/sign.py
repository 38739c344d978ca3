"""`evalkit sign`: a signature over everything that a run holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalkit.text import visible

if TYPE_CHECKING:
    from evalkit.jobs.progress import Progress
    from evalkit.runs.store import Run

FILE = click.Path(path_type=Path)


@click.command()
@click.argument("runs", nargs=-1, type=FILE)
@click.option("--key", metavar="FILE|env:NAME", help="Your private key [default: the PEM text in EVALKIT_SIGNING_KEY].")
@click.option("--new-key", type=FILE, help="Make a key: private in FILE (mode 0600), public in FILE.pub.")
@click.option("--parent", "parents", multiple=True, type=FILE, metavar="RUN", help="A run that this was made from.")
@click.option("--c2pa", type=FILE, metavar="CERT", help="First write copies of generated images with C2PA manifests.")
@click.option("--c2pa-key", type=FILE, help="Its private key [default: EVALKIT_C2PA_KEY, or CERT's name with .key].")
@click.option("--new-certificate", type=FILE, metavar="FOLDER", help="Make a C2PA certificate for trying things out.")
@click.option("--force", is_flag=True, help="Replace a signature over other files or by another key.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON, and nothing else, on stdout.")
def sign(
    runs: tuple[Path, ...],
    key: str | None,
    new_key: Path | None,
    parents: tuple[Path, ...],
    c2pa: Path | None,
    c2pa_key: Path | None,
    new_certificate: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Sign RUNS: a statement over all files of each, as attestation.json (in-toto in DSSE, ed25519).

    \b
    evalkit sign --new-key my.pem                                    once; give my.pem.pub to your readers
    evalkit sign runs/generate-world-ar-1a2b3c4d --key my.pem
    evalkit sign board --key my.pem                                  a leaderboard, with the runs that it is made of
    evalkit sign FOLDER --parent runs/a --key my.pem                 any folder that was made from runs
    evalkit sign RUN --key my.pem --c2pa signer.pem                  images with manifests too, in RUN/signed

    A run that has changed since it was made is not signed. Keys come from files or the environment, never from
    arguments; EVALKIT_SIGNING_PASSWORD opens an encrypted one. Check it with: evalkit verify RUN --public-key my.pem.pub
    """
    made = _make(new_key, new_certificate)
    if not runs and not made:
        raise click.UsageError("give a RUN to sign, or --new-key FILE to make a key")
    done = []
    for folder in runs:
        done.append(_sign(folder, key, parents, c2pa, c2pa_key, force=force, quiet=as_json))
    if as_json:
        click.echo(json.dumps({"made": [path.as_posix() for path in made], "signed": done}, indent=1))
        return
    for each in done:
        click.echo(visible(f"{each['attestation']}: {each['files']} files, signed by ed25519 {str(each['key'])[:16]}…"))
        for parent in each["parents"]:
            click.echo(visible(f"  made from {parent}"))
        if each["images"]:
            click.echo(visible(f"  {each['images']} images with C2PA manifests: {each['run']}/signed"))


def _make(new_key: Path | None, new_certificate: Path | None) -> list[Path]:
    made: list[Path] = []
    if new_key is not None:
        from evalkit.provenance.keys import make_key

        made += [new_key, make_key(new_key)]
        click.echo(visible(f"{new_key}: your private key; keep it secret, and keep a copy"), err=True)
        click.echo(visible(f"{made[1]}: the public key; give it to whoever checks your runs"), err=True)
    if new_certificate is not None:
        from evalkit.images.credential import new_credential

        new_credential(new_certificate)
        made += [new_certificate / name for name in ("signer.pem", "signer.key", "authority.pem")]
        click.echo(
            visible(f"{new_certificate}: signer.pem to sign with, authority.pem for those who trust you"), err=True
        )
    return made


def _sign(
    folder: Path,
    key: str | None,
    parents: tuple[Path, ...],
    c2pa: Path | None,
    c2pa_key: Path | None,
    *,
    force: bool,
    quiet: bool,
) -> dict[str, Any]:
    from evalkit.cli.progress import BarProgress
    from evalkit.jobs.progress import Progress
    from evalkit.provenance.files import listing
    from evalkit.provenance.keys import load_signing_key
    from evalkit.provenance.sign import parents_of, sign_run
    from evalkit.runs.store import ATTESTATION

    progress = Progress() if quiet else BarProgress()
    private = load_signing_key(key)
    images = _copies(folder, c2pa, c2pa_key, force, progress) if c2pa is not None else 0
    envelope = sign_run(folder, private, parents=parents, replace=force, progress=progress)
    return {
        "run": folder.as_posix(),
        "attestation": (folder / ATTESTATION).as_posix(),
        "files": len(listing(folder)),
        "key": envelope.keyid,
        "parents": [parent.name for parent in parents_of(folder)],
        "images": images,
    }


def _copies(folder: Path, certificate: Path, key: Path | None, force: bool, progress: Progress) -> int:
    from evalkit.errors import EvalkitError
    from evalkit.images.credential import load_credential
    from evalkit.provenance.copies import sign_images
    from evalkit.runs.store import ATTESTATION, read_run

    credential, run = load_credential(certificate, key), read_run(folder)
    _whole(run)
    if (folder / ATTESTATION).exists():
        if not force:
            raise EvalkitError(f"{folder} is signed already, and copies would add files; give --force to sign it anew")
        (folder / ATTESTATION).unlink()
    return sign_images(run, credential, progress)


def _whole(run: Run) -> None:
    """No manifest is given to the images of a run that has changed."""
    from evalkit.provenance.sign import check_whole

    check_whole(run.path)
