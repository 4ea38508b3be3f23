# Flink with Python, the Kafka connector and this package: docker build -f deploy/flink.Dockerfile .
# The same image runs the job and the commands `attribution topics`, `publish` and `lake`.

FROM python:3.12-slim AS jars
WORKDIR /build
RUN pip install --no-cache-dir jgo==3.2.0
COPY attribution attribution
RUN python -m attribution.testbed.cluster.jars copy connector /jars

# A few of Flink's Python requirements are built from source; the compiler stays behind in this stage.
FROM apache/flink:2.2.1-scala_2.12-java17 AS python
# hadolint ignore=DL3002
USER 0
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends build-essential python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*
COPY . /src
RUN python3 -m venv /opt/attribution \
    && /opt/attribution/bin/pip install --no-cache-dir --constraint /src/constraints-flink.txt '/src[flink,kafka]' \
    && cp -r /src/jobs /opt/attribution/jobs

FROM apache/flink:2.2.1-scala_2.12-java17
USER 0
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 \
    && rm -rf /var/lib/apt/lists/* \
    && mkdir /state /lake /zookeeper \
    && chown flink:flink /state /lake /zookeeper
COPY --from=python /opt/attribution /opt/attribution
COPY --from=jars /jars /opt/flink/lib
COPY deploy/zoo.cfg /opt/flink/conf/zoo.cfg
ENV PATH=/opt/attribution/bin:$PATH
# The image's user flink.
USER 9999
