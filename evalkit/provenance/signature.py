"""Level 2: who signed, and is it the signer that was expected?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.errors import MissingDependency
from evalkit.jobs.checks import Failure
from evalkit.provenance.dsse import Envelope, signer
from evalkit.provenance.verdict import Step
from evalkit.runs.store import ATTESTATION

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def signature_step(envelope: Envelope | None, broken: Failure | None, key: Ed25519PublicKey | None) -> Step:
    """The outcome for an envelope (None: not signed), what is `broken` about it, and the expected signer's key."""
    if broken is not None:
        return Step(2, "failed", "the attestation does not hold", (broken,))
    if envelope is None:
        if key is not None:
            missing = Failure(ATTESTATION, "it is missing, so nothing here is signed by the given key")
            return Step(2, "failed", "there is no signature", (missing,))
        return Step(2, "not reached", "not signed", hint="have its maker sign it: evalkit sign RUN --key FILE")
    try:
        named = signer(envelope)
    except MissingDependency as error:
        return Step(2, "not reached", "signed, but signatures cannot be checked here", hint=str(error))
    if named is None:
        return Step(2, "failed", "the signature is wrong", (Failure(ATTESTATION, "the signature does not hold"),))
    shown = f"ed25519 {named[:16]}…"
    if key is None:
        hint = f"give the key of the signer you expect: --public-key FILE (the run names {shown})"
        return Step(2, "not reached", f"signed by {shown}, whom nobody vouches for", hint=hint)
    mine = signer(envelope, key)
    if mine is None:
        other = Failure(ATTESTATION, f"signed by another key ({shown}) than the given one")
        return Step(2, "failed", "the signature is another's", (other,))
    return Step(2, "passed", f"signed by the given key, ed25519 {mine[:16]}…")
