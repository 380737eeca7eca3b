// The AWS SDK for JavaScript as a client of the Firehose that the environment
// names.
//
// usage: node client.mjs NAME FIRST BATCH
//
// Creates the stream NAME, which delivers into the bucket NAME, puts FIRST's
// bytes by PutRecord and BATCH's lines by PutRecordBatch, deletes the stream
// NAME-gone, and prints what the service answered: the JSON that clients_test.go
// judges.

import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import {
  CreateDeliveryStreamCommand,
  DeleteDeliveryStreamCommand,
  DescribeDeliveryStreamCommand,
  FirehoseClient,
  FirehoseServiceException,
  ListDeliveryStreamsCommand,
  PutRecordBatchCommand,
  PutRecordCommand,
  ResourceNotFoundException,
} from "@aws-sdk/client-firehose";

const limit = 1_024_000; // bytes of a record

const [name, firstFile, batchFile] = process.argv.slice(2);
const first = readFileSync(firstFile);
const lines = readFileSync(batchFile, "utf8").split(/(?<=\n)/).map((line) => Buffer.from(line));
const firehose = new FirehoseClient();

/** The error that a call ends with, which must be of the class kind. */
async function errorOf(call, kind = FirehoseServiceException) {
  try {
    await call;
  } catch (e) {
    if (e instanceof kind) {
      return { code: e.name, message: e.message };
    }
    throw e;
  }
  return null;
}

/** Every page of stream names: the API has no paginator. */
async function pages() {
  const found = [];
  for (;;) {
    const after = found.at(-1)?.at(-1);
    const page = await firehose.send(new ListDeliveryStreamsCommand({ ExclusiveStartDeliveryStreamName: after }));
    found.push(page.DeliveryStreamNames);
    if (!page.HasMoreDeliveryStreams) return found;
  }
}

/** A list call by somebody else. */
function listAs(accessKeyId, secretAccessKey) {
  const client = new FirehoseClient({ credentials: { accessKeyId, secretAccessKey } });
  return client.send(new ListDeliveryStreamsCommand());
}

await firehose.send(
  new CreateDeliveryStreamCommand({
    DeliveryStreamName: name,
    ExtendedS3DestinationConfiguration: {
      RoleARN: "arn:aws:iam::000000000000:role/firehose",
      BucketARN: `arn:aws:s3:::${name}`,
      BufferingHints: { SizeInMBs: 1, IntervalInSeconds: 0 },
    },
  }),
);
let d;
for (;;) {
  d = (await firehose.send(new DescribeDeliveryStreamCommand({ DeliveryStreamName: name }))).DeliveryStreamDescription;
  if (d.DeliveryStreamStatus === "ACTIVE") break;
  await setTimeout(50);
}

const one = await firehose.send(new PutRecordCommand({ DeliveryStreamName: name, Record: { Data: first } }));
const many = await firehose.send(
  new PutRecordBatchCommand({ DeliveryStreamName: name, Records: lines.map((Data) => ({ Data })) }),
);
const tooLarge = await errorOf(
  firehose.send(
    new PutRecordBatchCommand({
      DeliveryStreamName: name,
      Records: [{ Data: Buffer.from("fits\n") }, { Data: Buffer.alloc(limit + 1, "x") }],
    }),
  ),
);

const gone = `${name}-gone`;
await firehose.send(new DeleteDeliveryStreamCommand({ DeliveryStreamName: gone }));
const unknownStream = await errorOf(
  firehose.send(new PutRecordCommand({ DeliveryStreamName: gone, Record: { Data: first } })),
  ResourceNotFoundException,
);

const { accessKeyId, secretAccessKey } = await firehose.config.credentials();
console.log(
  JSON.stringify({
    arn: d.DeliveryStreamARN,
    bucket_arn: d.Destinations[0].ExtendedS3DestinationDescription.BucketARN,
    created: d.CreateTimestamp.getTime() / 1000,
    record_ids: [one.RecordId, ...many.RequestResponses.map((r) => r.RecordId)],
    failed: many.FailedPutCount,
    pages: await pages(),
    errors: {
      too_large: tooLarge,
      unknown_stream: unknownStream,
      wrong_secret: await errorOf(listAs(accessKeyId, "wrong")),
      unknown_key: await errorOf(listAs("AKIDNOBODY", secretAccessKey)),
    },
  }),
);
