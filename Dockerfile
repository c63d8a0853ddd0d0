# The image of `xray serve`: small, for a user without rights, on a root file system that is only read.
# It stands here, not in deploy/, because Heroku builds with the Dockerfile's own folder as context.
#
#   docker build -t xray .                                         everything from source
#   docker build -t xray --build-arg PACKAGE=file .                with the .deb in package/ (make beanstalk)
# The same image every time: --build-arg BASE=debian@sha256:... SNAPSHOT=20261101T000000Z SOURCE_DATE_EPOCH=...
ARG BASE=debian:bookworm-slim
ARG PACKAGE=source

FROM ${BASE} AS source
ARG SOURCE_DATE_EPOCH=1700000000
WORKDIR /src
COPY . .
RUN scripts/setup serve
RUN cmake --preset release -DXRAY_TRAIN=OFF -DXRAY_TESTS=OFF && cmake --build build/release --target xray
RUN cd build/release && cpack -G DEB && mkdir -p /package && cp *.deb /package/xray.deb
RUN python3 deploy/make-sbom build --out /package/build.cdx.json

FROM ${BASE} AS file
COPY package/ /package/

FROM ${PACKAGE} AS package

FROM ${BASE} AS filled
ARG SOURCE_DATE_EPOCH=1700000000
ARG SNAPSHOT=
COPY deploy/image/fill /image/fill
COPY --from=package /package/xray.deb /image/xray.deb
RUN sh /image/fill /image/xray.deb && rm -r /image

FROM ${BASE} AS bill
ARG SOURCE_DATE_EPOCH=1700000000
RUN apt-get update -q && apt-get install -q -y --no-install-recommends python3
COPY . /src
COPY --from=package /package/build.cdx.json /build.cdx.json
COPY --from=filled /var/lib/dpkg /root-fs/var/lib/dpkg
COPY --from=filled /usr/share/doc /root-fs/usr/share/doc
RUN mkdir /out && python3 /src/deploy/make-sbom image --build /build.cdx.json --root /root-fs \
      --out /out/xray.cdx.json --licences /out/licences.txt \
    && touch --date "@$SOURCE_DATE_EPOCH" /out/*

# One layer, without what the steps above left behind.
FROM scratch
COPY --from=filled / /
COPY --from=bill /out/ /usr/share/xray/
LABEL org.opencontainers.image.title="xray" \
      org.opencontainers.image.description="Reads chest X-rays for pneumonia; not a medical device" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.documentation="/usr/share/doc/xray/README.md"
ENV PATH=/usr/local/bin:/usr/bin:/bin \
    XRAY_LISTEN=0.0.0.0 \
    XRAY_CACHE=/tmp/xray \
    XRAY_LOG_FORMAT=json
WORKDIR /data
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=6s --start-period=20s CMD ["xray", "health"]
CMD ["xray", "serve"]
