"""One shard of a caption scoring: each image's caption beside its references."""

from __future__ import annotations

from typing import Any

from evalkit.images.sample import ImageSet, Sample, Unreadable
from evalkit.jobs.shard import Shard, ShardOutput
from evalkit.jobs.task import Tick, Worker
from evalkit.jobs.timers import Timers
from evalkit.metrics.bleu import COLUMNS, bleu, bleu_counts
from evalkit.metrics.caption_words import caption_words
from evalkit.metrics.captions import BLEU, CIDER, METEOR, ROUGE
from evalkit.metrics.cider import cider_d, rarity
from evalkit.metrics.meteor import meteor
from evalkit.metrics.rouge import rouge_l
from evalkit.tasks.captions.read import Captions
from evalkit.tasks.captions.rows import CAPTION, REFERENCES, table


class CaptionWorker(Worker):
    """Holds the first `n` images, their captions and references, and how rare n-grams are among all references."""

    def __init__(self, images: ImageSet, n: int, captions: Captions, references: Captions, *, threads: int) -> None:
        self.images, self.captions, self.threads = images, captions, threads
        self.timers = Timers()
        found = {id: references.of(id) for id in images.ids()[:n]}
        self.references = {id: [caption_words(each) for each in mine] for id, mine in found.items() if mine}
        self.rarity = rarity(self.references.values())

    def process(self, shard: Shard, tick: Tick) -> ShardOutput:
        """Rows in order."""
        rows = []
        with self.timers("compare"):
            for each in self.images.read(shard.start, shard.stop, threads=self.threads):
                rows.append(self._row(each))
                tick(1)
        return ShardOutput(table(rows), seconds=self.timers.taken())

    def _row(self, each: Sample | Unreadable) -> dict[str, Any]:
        references, captions = self.references.get(each.id, []), self.captions.of(each.id)
        row: dict[str, Any] = {"id": each.id, "sha256": each.sha256, REFERENCES: len(references)}
        if isinstance(each, Unreadable):
            return {**row, "error": each.reason}
        row |= {"height": int(each.image.shape[0]), "width": int(each.image.shape[1])}
        if not captions:
            return {**row, "error": "no caption is given of it"}
        row[CAPTION] = captions[0]
        if not references:
            return {**row, "error": "no reference is given of it"}
        words = caption_words(captions[0])
        row |= (counts := bleu_counts(words, references))
        own = bleu([[counts[name] for name in COLUMNS]])
        said = {BLEU.name: own, CIDER.name: cider_d(words, references, self.rarity)}
        return {**row, **said, ROUGE.name: rouge_l(words, references), METEOR.name: meteor(words, references)}
