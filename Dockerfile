FROM python:3.11-slim
WORKDIR /app
COPY pyproject.toml constraints.txt README.md ./
COPY guard guard
COPY detectors detectors
COPY decoding decoding
COPY server server
RUN pip install --no-cache-dir -c constraints.txt . && useradd --create-home passageguard
USER passageguard
EXPOSE 8780
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8780/readyz', timeout=3)"]
ENTRYPOINT ["passageguard", "serve", "--host", "0.0.0.0", "--port", "8780"]
