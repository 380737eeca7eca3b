package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"github.com/hydrant-go/hydrant"
	"github.com/hydrant-go/hydrant/wire"
)

const stream = "bench"

// job is what one sender has to do.
type job struct {
	Endpoint string
	Cert     string // file of the endpoint's certificate, if it has one
	Size     int    // of a record, with its newline
	Records  int
	Streams  int // to route the records to

	// Of the spool:
	Dir        string  // a folder on the disk, or none: then the producer works in memory
	Batch      int     // records that are put together
	Goroutines int     // that put
	Seconds    float64 // of those that run for a time
	Acks       bool    // each record has a callback
}

// senders are what is compared. Each sends the job's records and returns when
// all are acknowledged.
var senders = map[string]func(job, *result) error{
	"floor":        func(j job, _ *result) error { return floor(j, wire.MaxBatchRecords, j.Size) },
	"floor packed": func(j job, _ *result) error { return floor(j, 4, wire.MaxRecordBytes/j.Size*j.Size) },
	"sdk PutRecord": func(j job, _ *result) error {
		return sdk(j, func(ctx context.Context, c *firehose.Client, record []byte, n int) error {
			for range n {
				_, err := c.PutRecord(ctx, &firehose.PutRecordInput{DeliveryStreamName: aws.String(stream), Record: &types.Record{Data: record}})
				if err != nil {
					return err
				}
			}
			return nil
		})
	},
	"sdk PutRecordBatch": func(j job, _ *result) error {
		return sdk(j, func(ctx context.Context, c *firehose.Client, record []byte, n int) error {
			for n > 0 {
				in := &firehose.PutRecordBatchInput{DeliveryStreamName: aws.String(stream)}
				for size := 0; n > 0 && len(in.Records) < wire.MaxBatchRecords && size+len(record) <= wire.MaxBatchBytes; n-- {
					in.Records = append(in.Records, types.Record{Data: record})
					size += len(record)
				}
				out, err := c.PutRecordBatch(ctx, in)
				if err != nil {
					return err
				}
				if *out.FailedPutCount != 0 {
					return fmt.Errorf("%d records refused by a sink", *out.FailedPutCount)
				}
			}
			return nil
		})
	},
	"hydrant":        func(j job, _ *result) error { return producer(j, hydrant.PackOff) },
	"streams":        manyStreams,
	"hydrant packed": func(j job, _ *result) error { return producer(j, hydrant.PackFixed) },

	"append plain":       appendPlain,
	"append spool":       appendSpool,
	"append bbolt":       func(j job, r *result) error { return appendBolt(j, r, false) },
	"append bbolt tuned": func(j job, r *result) error { return appendBolt(j, r, true) },
	"fill":               fillSpool,
	"open":               openSpool,
	"verify":             verifySpool,
	"put":                putAll,
	"outage":             outage,
}

func record(size int) []byte {
	data := make([]byte, size)
	for i := range data {
		data[i] = ' ' + byte(i*7%90)
	}
	data[size-1] = '\n'
	return data
}

var insecure = &tls.Config{InsecureSkipVerify: true} // the sink's certificate is its own

// floor does what no sender can avoid, in a bare loop: base64, the hash of the
// text, the write, and to read the answer.
func floor(j job, records, size int) error {
	u, err := url.Parse(j.Endpoint)
	if err != nil {
		return err
	}
	c, err := net.Dial("tcp", u.Host)
	if err != nil {
		return err
	}
	defer c.Close()
	if u.Scheme == "https" {
		c = tls.Client(c, insecure)
	}
	records = min(records, wire.MaxBatchBytes/size)
	data := make([][]byte, records)
	for i := range data {
		data[i] = []byte(strings.Repeat(string(record(j.Size)), size/j.Size))
	}
	r := bufio.NewReaderSize(c, 128<<10)
	var text []byte
	perRecord := size / j.Size
	for left := j.Records; left > 0; left -= len(data) * perRecord {
		if need := (left + perRecord - 1) / perRecord; need < len(data) {
			data = data[:need]
		}
		text = append(text[:0], make([]byte, 512)...) // for the head, so that all is one write
		text = wire.AppendPutRecordBatch(text, stream, data)
		sum := sha256.Sum256(text[512:])
		head := fmt.Sprintf("POST / HTTP/1.1\r\nHost: sink\r\nX-Amz-Target: Firehose_20150804.PutRecordBatch\r\nContent-Length: %d\r\nX-Sum: %x\r\n\r\n", len(text)-512, sum)
		start := 512 - len(head)
		copy(text[start:], head)
		if _, err := c.Write(text[start:]); err != nil {
			return err
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return err
		}
	}
	return nil
}

func settings(j job) aws.Config {
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: &j.Endpoint,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
		HTTPClient: awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.TLSClientConfig = insecure.Clone()
			t.MaxIdleConnsPerHost = 16
		}),
	}
}

// sdk runs a loop on each of two goroutines.
func sdk(j job, loop func(context.Context, *firehose.Client, []byte, int) error) error {
	cfg := settings(j)
	// It closes a request's body when the answer begins, which on a loopback can be
	// before net/http has come to its end, and that breaks the connection.
	cfg.RetryMaxAttempts = 20
	client := firehose.NewFromConfig(cfg)
	data := record(j.Size)
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i := range errs {
		n := j.Records / 2
		if i == 0 {
			n += j.Records % 2
		}
		wg.Go(func() { errs[i] = loop(context.Background(), client, data, n) })
	}
	wg.Wait()
	if errs[0] != nil {
		return errs[0]
	}
	return errs[1]
}

// producer puts each record, and counts its acknowledgement.
func producer(j job, packing hydrant.Packing) error {
	cfg := settings(j)
	p, err := hydrant.New(context.Background(), hydrant.Config{
		Stream: stream, AWS: &cfg, Packing: packing, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	data := record(j.Size)
	var acked atomic.Int64
	ack := func(a hydrant.Ack) {
		if a.Err == nil {
			acked.Add(1)
		}
	}
	for range j.Records {
		if err := p.PutFunc(context.Background(), data, ack); err != nil {
			return err
		}
	}
	if err := p.Close(context.Background()); err != nil {
		return err
	}
	if n := acked.Load(); n != int64(j.Records) {
		return fmt.Errorf("%d of %d records acknowledged", n, j.Records)
	}
	return nil
}

// manyStreams routes the records to many streams in turn, and tells what is left
// of them in memory when all are idle.
func manyStreams(j job, r *result) error {
	names := make([]string, j.Streams)
	for i := range names {
		names[i] = fmt.Sprintf("stream-%d", i)
	}
	cfg := settings(j)
	next := 0
	heap := func() int64 {
		runtime.GC()
		runtime.GC() // the first moves what pools hold, the second lets go of it
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	r.HeapAtStart = heap()
	p, err := hydrant.New(context.Background(), hydrant.Config{
		Route: func([]byte) string {
			next++
			return names[next%len(names)]
		},
		AWS: &cfg, Packing: hydrant.PackFixed, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	data := record(j.Size)
	for range j.Records {
		if err := p.Put(context.Background(), data); err != nil {
			return err
		}
	}
	if err := p.Flush(context.Background()); err != nil {
		return err
	}
	r.HeapBytes, r.Goroutines = heap(), runtime.NumGoroutine()
	return p.Close(context.Background())
}
