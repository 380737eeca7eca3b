package hydrant_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/hydrant-go/hydrant"
	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/server"
)

// localFirehose stands for AWS in the examples: it has a stream "logs", and its
// faults are the caller's. Leave Config.AWS out to send to AWS itself.
func localFirehose(faults local.Faults) (cfg *aws.Config, stop func()) {
	dir, err := os.MkdirTemp("", "hydrant-example-")
	if err != nil {
		log.Fatal(err)
	}
	backend, err := local.New(local.Config{Dir: dir, Faults: faults})
	if err != nil {
		log.Fatal(err)
	}
	_, err = backend.CreateDeliveryStream(context.Background(), server.Caller{Account: "000000000000", Region: "us-east-1"}, &server.CreateDeliveryStreamInput{
		DeliveryStreamName: "logs",
		Destination:        server.Destination{S3: &server.S3Destination{BucketARN: "arn:aws:s3:::logs", SizeInMBs: 5, IntervalInSeconds: 300, CompressionFormat: "UNCOMPRESSED"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	srv := httptest.NewServer(server.New(server.Config{Backend: backend, NoAuth: true}))
	return &aws.Config{
		Region: "us-east-1", BaseEndpoint: &srv.URL, Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
	}, func() {
		srv.Close()
		if err := errors.Join(backend.Close(context.Background()), os.RemoveAll(dir)); err != nil {
			log.Fatal(err)
		}
	}
}

// The whole of a producer's life. The service refuses half of the records at
// first; nobody has to care.
func Example() {
	cfg, stop := localFirehose(&local.Plan{Refuse: 0.5})
	defer stop()
	ctx := context.Background()

	p, err := hydrant.New(ctx, hydrant.Config{Stream: "logs", AWS: cfg})
	if err != nil {
		log.Fatal(err)
	}
	for i := range 1000 {
		if err := p.Put(ctx, fmt.Appendf(nil, "event %d", i)); err != nil {
			log.Fatal(err)
		}
	}
	if err := p.Close(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Stats().Delivered, "delivered")
	// Output: 1000 delivered
}

// A callback tells the fate of each record.
func ExampleProducer_PutFunc() {
	cfg, stop := localFirehose(nil)
	defer stop()
	ctx := context.Background()
	p, err := hydrant.New(ctx, hydrant.Config{
		Stream: "logs", AWS: cfg, DeadLetter: printed{}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	tell := func(a hydrant.Ack) {
		if dead, ok := errors.AsType[*hydrant.DeadError](a.Err); ok {
			fmt.Println("dead:", dead.Code)
			return
		}
		fmt.Println("stored, id of", len(a.RecordID), "characters")
	}
	for _, data := range [][]byte{[]byte("hello"), make([]byte, 2_000_000)} {
		if err := p.PutFunc(ctx, data, tell); err != nil {
			log.Fatal(err)
		}
		if err := p.Flush(ctx); err != nil { // the callback has run when it returns
			log.Fatal(err)
		}
	}
	if err := p.Close(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// stored, id of 224 characters
	// dead letter: 2000001 bytes
	// dead: RecordTooLarge
}

// printed is a dead letter of one's own.
type printed struct{}

func (printed) Write(_ context.Context, records []hydrant.DeadRecord) error {
	for _, r := range records {
		fmt.Println("dead letter:", len(r.Data), "bytes")
	}
	return nil
}

// Lines that a program writes become records.
func ExampleProducer_LineWriter() {
	cfg, stop := localFirehose(nil)
	defer stop()
	ctx := context.Background()
	p, err := hydrant.New(ctx, hydrant.Config{Stream: "logs", AWS: cfg})
	if err != nil {
		log.Fatal(err)
	}
	w := p.LineWriter(ctx)
	fmt.Fprintf(w, "one\ntwo\nthr")
	fmt.Fprintf(w, "ee\n")
	if err := errors.Join(w.Close(), p.Close(ctx)); err != nil {
		log.Fatal(err)
	}
	s := p.Stats()
	fmt.Println(s.Delivered, "lines in", s.FirehoseRecords, "Firehose record")
	// Output: 3 lines in 1 Firehose record
}

// A program's log goes to Firehose.
func ExampleProducer_LogHandler() {
	cfg, stop := localFirehose(nil)
	defer stop()
	ctx := context.Background()
	p, err := hydrant.New(ctx, hydrant.Config{Stream: "logs", AWS: cfg})
	if err != nil {
		log.Fatal(err)
	}
	logger := slog.New(p.LogHandler(nil))
	logger.Info("started", "port", 80)
	logger.Warn("almost full", "free_bytes", 1024)
	if err := p.Close(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Stats().Delivered, "entries")
	// Output: 2 entries
}

// A sequence of records, each to the stream of its tenant.
func ExampleProducer_PutSeq() {
	cfg, stop := localFirehose(nil)
	defer stop()
	ctx := context.Background()
	p, err := hydrant.New(ctx, hydrant.Config{
		AWS: cfg,
		Route: func(data []byte) string {
			if bytes.HasPrefix(data, []byte("log:")) {
				return "logs"
			}
			return "events"
		},
		DeadLetter: printed{}, // the stream "events" is not there
		Logger:     slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	records := [][]byte{[]byte("log: one"), []byte("event"), []byte("log: two")}
	if _, err := p.PutSeq(ctx, slices.Values(records), nil); err != nil {
		log.Fatal(err)
	}
	if err := p.Close(ctx); err != nil {
		log.Fatal(err)
	}
	s := p.Stats()
	fmt.Println(s.Delivered, "delivered,", s.DeadLettered, "in the dead letter")
	// Output:
	// dead letter: 6 bytes
	// 2 delivered, 1 in the dead letter
}

// Where the caller must not wait, TryPut says that the buffer is full.
func ExampleProducer_TryPut() {
	cfg, stop := localFirehose(nil)
	defer stop()
	ctx := context.Background()
	p, err := hydrant.New(ctx, hydrant.Config{Stream: "logs", AWS: cfg})
	if err != nil {
		log.Fatal(err)
	}
	missed := 0
	for i := range 100 {
		switch err := p.TryPut(fmt.Appendf(nil, "event %d", i)); {
		case errors.Is(err, hydrant.ErrFull):
			missed++
		case err != nil:
			log.Fatal(err)
		}
	}
	if err := p.Close(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(missed, "missed")
	// Output: 0 missed
}

// The bill, and what it would be had each record been sent on its own.
func ExampleProducer_Stats() {
	cfg, stop := localFirehose(nil)
	defer stop()
	ctx := context.Background()
	p, err := hydrant.New(ctx, hydrant.Config{Stream: "logs", AWS: cfg})
	if err != nil {
		log.Fatal(err)
	}
	line := bytes.Repeat([]byte("x"), 199)
	for range 5000 {
		if err := p.Put(ctx, line); err != nil {
			log.Fatal(err)
		}
	}
	if err := p.Close(ctx); err != nil {
		log.Fatal(err)
	}
	s := p.Stats()
	fmt.Printf("%d bytes; one by one billed as %d, $%.7f\n", s.DeliveredBytes, s.UnpackedBilledBytes, s.UnpackedBilledUSD)
	fmt.Println("packed billed less than twice the bytes:", s.BilledBytes < 2*s.DeliveredBytes)
	// Output:
	// 1000000 bytes; one by one billed as 25600000, $0.0006914
	// packed billed less than twice the bytes: true
}

// Packs compressed: the objects are gzip files, and the bill is of compressed
// bytes.
func ExampleCompression() {
	cfg, stop := localFirehose(nil)
	defer stop()
	ctx := context.Background()
	p, err := hydrant.New(ctx, hydrant.Config{Stream: "logs", AWS: cfg, Compression: hydrant.CompressGzip})
	if err != nil {
		log.Fatal(err)
	}
	for i := range 5000 {
		if err := p.Put(ctx, fmt.Appendf(nil, `{"level":"INFO","path":"/api/orders","status":200,"n":%d}`, i)); err != nil {
			log.Fatal(err)
		}
	}
	if err := p.Close(ctx); err != nil {
		log.Fatal(err)
	}
	s := p.Stats()
	fmt.Println("billed less than a quarter of the bytes:", s.BilledBytes < s.DeliveredBytes/4)
	// Output: billed less than a quarter of the bytes: true
}

// The hook hears of each put call.
func ExampleCallInfo() {
	cfg, stop := localFirehose(nil)
	defer stop()
	ctx := context.Background()
	p, err := hydrant.New(ctx, hydrant.Config{Stream: "logs", AWS: cfg, OnCall: func(c hydrant.CallInfo) {
		fmt.Printf("%s: %d records, %d bytes, %d delivered\n", c.Stream, c.Records, c.Bytes, c.Delivered)
	}})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := p.PutBatch(ctx, [][]byte{[]byte("one"), []byte("two")}, nil); err != nil {
		log.Fatal(err)
	}
	if err := p.Close(ctx); err != nil {
		log.Fatal(err)
	}
	// Output: logs: 2 records, 8 bytes, 2 delivered
}

// A dead letter of at most 1 MiB a file: a full one is put aside by its time, and
// none is ever deleted.
func ExampleDeadLetterFile() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	f := hydrant.NewDeadLetterFile(filepath.Join(dir, "dead.ndjson"))
	f.MaxBytes = 1 << 20
	defer f.Close()
	// A producer does this, with Config.DeadLetter set to f.
	for range 3 {
		record := hydrant.DeadRecord{Stream: "my-stream", Data: make([]byte, 400<<10), Code: "AccessDeniedException"}
		if err := f.Write(context.Background(), []hydrant.DeadRecord{record}); err != nil {
			log.Fatal(err)
		}
	}
	aside, _ := filepath.Glob(filepath.Join(dir, "dead-*.ndjson"))
	fmt.Println(len(aside), "put aside")
	// Output: 2 put aside
}

// Close with a time limit gives back what it could not deliver by then.
func ExampleUndeliveredError() {
	cfg, stop := localFirehose(&local.Plan{Error: 1})
	defer stop()
	ctx := context.Background()
	p, err := hydrant.New(ctx, hydrant.Config{Stream: "logs", AWS: cfg, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	if err := p.Put(ctx, []byte("nobody takes me")); err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	err = p.Close(ctx)
	if left, ok := errors.AsType[*hydrant.UndeliveredError](err); ok {
		for _, r := range left.Records {
			fmt.Printf("%q\n", r.Data)
		}
	}
	// Output: "nobody takes me\n"
}

// With a spool a record is on disk before Put returns. Whatever ends the program,
// the next one with that folder sends what is left.
func ExampleConfig_spool() {
	plan := &local.Plan{Error: 1} // the service is down
	cfg, stop := localFirehose(plan)
	defer stop()
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "hydrant-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	settings := hydrant.Config{Stream: "logs", AWS: cfg, Spool: filepath.Join(dir, "spool"), Logger: slog.New(slog.DiscardHandler)}

	p, err := hydrant.New(ctx, settings)
	if err != nil {
		log.Fatal(err)
	}
	for i := range 1000 {
		if err := p.Put(ctx, fmt.Appendf(nil, "event %d", i)); err != nil {
			log.Fatal(err)
		}
	}
	soon, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	if left, ok := errors.AsType[*hydrant.UndeliveredError](p.Close(soon)); ok {
		fmt.Println(left.Spooled, "left in the spool")
	}

	back, stop2 := localFirehose(nil) // it is back
	defer stop2()
	settings.AWS = back
	if p, err = hydrant.New(ctx, settings); err != nil {
		log.Fatal(err)
	}
	if err := p.Close(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Stats().Delivered, "delivered")
	// Output:
	// 1000 left in the spool
	// 1000 delivered
}
