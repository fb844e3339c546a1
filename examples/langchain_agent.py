"""A guarded LangChain agent.  Runs offline: the chat model is a script, so what it reads is shown too."""

from langchain.agents import create_agent
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.tools import create_retriever_tool
from langchain_core.vectorstores import InMemoryVectorStore

from detectors import encoder
from guard.integrations.langchain import PassageGuardMiddleware


class BundledEmbeddings(Embeddings):
    """The encoder that comes with PassageGuard, as LangChain embeddings."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return encoder.load().encode(texts).tolist()

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


class Scripted(GenericFakeChatModel):
    """Says one message after the other, whatever it reads."""

    def bind_tools(self, tools, **kwargs):
        return self


store = InMemoryVectorStore(BundledEmbeddings())
store.add_documents(
    [
        Document("Full-time employees receive 25 days of paid annual leave per year.", id="handbook"),
        Document("Full-time employees receive 28 days of paid annual leave per year.", id="amendment"),
        Document("Annual leave is booked in the staff portal.", id="portal"),
        Document("The canteen opens at half past seven.", id="canteen"),
    ]
)
search = create_retriever_tool(
    store.as_retriever(search_kwargs={"k": 3}), "search", "Searches the staff documents.",
    response_format="content_and_artifact",
)  # fmt: skip
question = "How many days of annual leave do employees receive?"
call = {"name": "search", "args": {"query": question}, "id": "call-1", "type": "tool_call"}
answer = "The documents disagree: the handbook says 25 days, the amendment 28."
model = Scripted(messages=iter([AIMessage("", tool_calls=[call]), AIMessage(answer)]))

agent = create_agent(model, tools=[search], middleware=[PassageGuardMiddleware()])
for message in agent.invoke({"messages": [("user", question)]})["messages"]:
    if message.text:
        print(f"{message.type}: {message.text}", end="\n\n")
