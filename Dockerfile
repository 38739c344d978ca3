# evalkit with the torch of the package index; a smaller one for CPUs alone with --build-arg TORCH_INDEX=URL of its wheels
# build: docker build -t evalkit .
# run:   docker run --rm -v "$PWD:/data" evalkit tokenizer --model jpeg-lm --data PHOTOS --out runs/a
FROM python:3.12-slim

ARG TORCH_INDEX=
ENV PYTHONUNBUFFERED=1 EVALKIT_CACHE=/cache HF_HOME=/cache/huggingface

RUN useradd --create-home --uid 1000 user && mkdir /cache /data && chown user /cache /data
WORKDIR /src
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY evalkit evalkit
RUN pip install --no-cache-dir ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} ".[hf,sign]"

USER user
WORKDIR /data
VOLUME ["/cache"]
ENTRYPOINT ["evalkit"]
CMD ["doctor"]
