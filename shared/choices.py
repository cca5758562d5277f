"""What settings name has to be there: a shelf of documents would else find out one by one, each when its turn comes."""

from shared import layout
from shared.bases import read_base
from shared.contracts.documents import ProcessingParameters
from shared.contracts.taggers import TaggerManifest
from shared.errors import NotFound
from shared.objects import ObjectStore, read_contract
from shared.taggers import OF_LECTERN, unpublished


def require_published(store: ObjectStore, wanted: ProcessingParameters, before: ProcessingParameters) -> None:
    """The tagger and the tokenizer that settings name anew. Raises NotFound."""
    tagger, tokenizer = wanted.cleaning.tagger, wanted.chunking.tokenizer
    known = {before.cleaning.tagger, *OF_LECTERN}
    if tagger not in known and read_contract(store, layout.tagger_manifest(tagger), TaggerManifest) is None:
        raise unpublished(tagger)
    if tokenizer != before.chunking.tokenizer and read_base(store, tokenizer) is None:
        raise NotFound(
            f"No base model {tokenizer} is published whose tokenizer could count. Publish it with "
            "`python -m services.training.publish_base`, or name another as chunking.tokenizer.",
            base=tokenizer,
        )
