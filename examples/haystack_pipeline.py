"""A guarded Haystack pipeline.  Runs offline: the generator is a script, so what it is sent is shown too."""

from haystack import Document, Pipeline, component
from haystack.components.builders import PromptBuilder
from haystack.components.retrievers.in_memory import InMemoryBM25Retriever
from haystack.document_stores.in_memory import InMemoryDocumentStore

from guard.integrations.haystack import PassageGuardChecker


@component
class Scripted:
    """Prints its prompt and answers what it was told to."""

    def __init__(self, answer: str) -> None:
        self.answer = answer

    @component.output_types(replies=list[str])
    def run(self, prompt: str) -> dict[str, list[str]]:
        print(prompt, end="\n\n")
        return {"replies": [self.answer]}


store = InMemoryDocumentStore()
store.write_documents(
    [
        Document(id="handbook", content="Full-time employees receive 25 days of paid annual leave per year."),
        Document(id="amendment", content="Full-time employees receive 28 days of paid annual leave per year."),
        Document(id="portal", content="Annual leave is booked in the staff portal."),
        Document(id="canteen", content="The canteen opens at half past seven."),
    ]
)
template = "Answer from the passages.\n\n{{ context }}\n\nQuestion: {{ query }}"
pipeline = Pipeline()
pipeline.add_component("retriever", InMemoryBM25Retriever(store, top_k=3))
pipeline.add_component("guard", PassageGuardChecker())
pipeline.add_component("prompt", PromptBuilder(template, required_variables=["context", "query"]))
pipeline.add_component("llm", Scripted("The documents disagree: the handbook says 25 days, the amendment 28."))
pipeline.connect("retriever.documents", "guard.documents")
pipeline.connect("guard.context", "prompt.context")
pipeline.connect("prompt.prompt", "llm.prompt")

query = "How many days of annual leave do employees receive?"
result = pipeline.run({"retriever": {"query": query}, "guard": {"query": query}, "prompt": {"query": query}})
print(result["llm"]["replies"][0])
