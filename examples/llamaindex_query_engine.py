"""A guarded LlamaIndex query engine.  Runs offline: the LLM is a script, so what it is sent is shown too."""

from llama_index.core import VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.llms import CompletionResponse, CustomLLM, LLMMetadata
from llama_index.core.schema import TextNode

from detectors import encoder
from guard.integrations.llamaindex import PassageGuardPostprocessor


class BundledEmbedding(BaseEmbedding):
    """The encoder that comes with PassageGuard, as a LlamaIndex embedding."""

    def _get_text_embedding(self, text: str) -> list[float]:
        return encoder.load().encode([text])[0].tolist()

    _get_query_embedding = _get_text_embedding

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


class Scripted(CustomLLM):
    """Prints its prompt and answers what it was told to."""

    answer: str

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata()

    def complete(self, prompt, formatted=False, **kwargs):
        print(prompt, end="\n\n")
        return CompletionResponse(text=self.answer)

    def stream_complete(self, prompt, formatted=False, **kwargs):
        yield self.complete(prompt)


nodes = [
    TextNode(text="Full-time employees receive 25 days of paid annual leave per year.", id_="handbook"),
    TextNode(text="Full-time employees receive 28 days of paid annual leave per year.", id_="amendment"),
    TextNode(text="Annual leave is booked in the staff portal.", id_="portal"),
    TextNode(text="The canteen opens at half past seven.", id_="canteen"),
]
engine = VectorStoreIndex(nodes, embed_model=BundledEmbedding()).as_query_engine(
    llm=Scripted(answer="The documents disagree: the handbook says 25 days, the amendment 28."),
    similarity_top_k=3,
    node_postprocessors=[PassageGuardPostprocessor()],
)
print(engine.query("How many days of annual leave do employees receive?"))
