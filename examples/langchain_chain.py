"""A guarded LangChain chain.  Runs offline: the chat model is a script, so what it is sent is shown too."""

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import FakeListChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough
from langchain_core.vectorstores import InMemoryVectorStore

from detectors import encoder
from guard.integrations.langchain import PassageGuardRunnable


class BundledEmbeddings(Embeddings):
    """The encoder that comes with PassageGuard, as LangChain embeddings."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return encoder.load().encode(texts).tolist()

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


store = InMemoryVectorStore(BundledEmbeddings())
store.add_documents(
    [
        Document("Full-time employees receive 25 days of paid annual leave per year.", id="handbook"),
        Document("Full-time employees receive 28 days of paid annual leave per year.", id="amendment"),
        Document("Annual leave is booked in the staff portal.", id="portal"),
        Document("The canteen opens at half past seven.", id="canteen"),
    ]
)
prompt = ChatPromptTemplate.from_template("Answer from the passages.\n\n{context}\n\nQuestion: {question}")
model = FakeListChatModel(responses=["The documents disagree: the handbook says 25 days, the amendment 28."])


def show(value):
    print(value.to_string(), end="\n\n")
    return value


chain = (
    {"question": RunnablePassthrough(), "documents": store.as_retriever(search_kwargs={"k": 3})}
    | PassageGuardRunnable()
    | prompt
    | show
    | model
    | StrOutputParser()
)
print(chain.invoke("How many days of annual leave do employees receive?"))
