"""The guard as a node postprocessor: retrieved nodes in, the repaired context out.

A response synthesizer writes a node's metadata above its text, so that its LLM reads the key about a node with a
note.  The key about any other node is kept from LLMs, and from embedding models always: a context about which there
is nothing to say leads to the same prompt as without the guard.
"""

from __future__ import annotations

from typing import Any

from llama_index.core.callbacks import CallbackManager
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle

from detectors.evidence import Passage
from guard.integrations.documents import KEY, Form
from guard.integrations.guarded import Guarded


class PassageGuardPostprocessor(Guarded, BaseNodePostprocessor):
    """Checks nodes against each other and repairs them as the guard's policy says.

    Returns copies; their key also holds ``id``, by which notes and conflicts name the node: its own, or ``id#2`` where
    several came with one id.  `to_dict` and `from_dict` keep the guard's configuration; ``on_verdict`` is not written.
    Raises `ContextBlockedError` where the policy blocks, `InputError` for what cannot be checked, `ModelError` for a
    model that cannot be loaded.
    """

    @classmethod
    def class_name(cls) -> str:
        return "PassageGuardPostprocessor"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        return self.told(nodes, _question(query_bundle), FORM).documents

    async def _apostprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        return (await self.atold(nodes, _question(query_bundle), FORM)).documents

    def __getstate__(self) -> dict[Any, Any]:
        state = super().__getstate__()  # handlers hold connections and files: they stay here
        return {**state, "__dict__": {**state["__dict__"], "callback_manager": CallbackManager()}}


def _question(query_bundle: QueryBundle | None) -> str | None:
    return query_bundle.query_str if query_bundle is not None else None


def _passage(scored: NodeWithScore) -> Passage:
    node = scored.node
    return Passage(node.node_id, node.get_content(metadata_mode=MetadataMode.NONE), node.metadata)


def _told(scored: NodeWithScore, passage_id: str, said: dict[str, Any]) -> NodeWithScore:
    node = scored.node
    others = [key for key in node.excluded_llm_metadata_keys if key != KEY]
    update = {
        "metadata": {**node.metadata, KEY: {"id": passage_id, **said}},
        "excluded_llm_metadata_keys": others if "note" in said else [*others, KEY],
        "excluded_embed_metadata_keys": [k for k in node.excluded_embed_metadata_keys if k != KEY] + [KEY],
    }
    return scored.model_copy(update={"node": node.model_copy(update=update)})


FORM = Form(NodeWithScore, _passage, _told)
