# docker build -t hydrant .
# docker run --rm -v /var/log/app:/logs:ro -v hydrant:/data -e AWS_REGION -e AWS_ACCESS_KEY_ID -e AWS_SECRET_ACCESS_KEY \
#     hydrant tail '/logs/*.log' --stream my-stream --spool spool
#
# What has to be kept is in /data: checkpoints, spool and dead letter. Give it a
# volume.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /out/hydrant ./cmd/hydrant && mkdir /out/data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/hydrant /usr/bin/hydrant
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
WORKDIR /data
VOLUME /data
ENV HOME=/data TMPDIR=/data HYDRANT_METRICS_ADDR=127.0.0.1:9464
EXPOSE 9464
HEALTHCHECK --interval=30s --timeout=6s --start-period=10s CMD ["hydrant", "health"]
ENTRYPOINT ["hydrant"]
CMD ["--help"]
