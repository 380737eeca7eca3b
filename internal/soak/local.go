package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
)

// localResult is the last line of soak local.
type localResult struct {
	Kills      int `json:"kills"`
	Records    int `json:"records"`    // put, each of them until it was acknowledged
	Calls      int `json:"calls"`      // those that were acknowledged, at least in part
	Delivered  int `json:"delivered"`  // different records in the objects
	Duplicates int `json:"duplicates"` // in the objects
	Lost       int `json:"lost"`       // acknowledged and not delivered
}

func (r localResult) wrong() string {
	switch {
	case r.Lost > 0:
		return fmt.Sprintf("%d records were acknowledged and not delivered", r.Lost)
	case r.Delivered != r.Records:
		return fmt.Sprintf("%d different records were delivered of %d", r.Delivered, r.Records)
	}
	return ""
}

const (
	localClients = 4
	localRecords = 100_000
)

// localFaults is the plan that the calls go through.
const localFaults = `{"refuse":0.05,"error":0.05,"reset_before":0.02,"reset_after":0.02,"delay_share":0.2,"delay":"20ms"}`

// localRun is hydrant local, killed and started again, with clients of the AWS SDK.
type localRun struct {
	*soak
	addr    string
	res     localResult
	most    int         // records to put
	over    atomic.Bool // no more are begun
	records atomic.Int64
	calls   atomic.Int64
	done    atomic.Int64 // records that were acknowledged

	mu    sync.Mutex // guards acked
	acked counts
}

// killLocal kills hydrant local over and over while clients put records, and looks
// for each acknowledged record in the objects.
func killLocal(ctx context.Context, s *soak) (result, error) {
	r := &localRun{soak: s, most: localRecords}
	cmd, put, err := r.begin(ctx, localFaults)
	if err != nil {
		return nil, err
	}
	for r.res.Kills < s.kills {
		// The kills are spread over the records.
		share := int64(localRecords * (r.res.Kills + 1) / (s.kills + 1))
		for r.done.Load() < share {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(s.between(0, 20*time.Millisecond))
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		r.res.Kills++
		fmt.Fprintf(s.log, "%d kills, %d records acknowledged\n", r.res.Kills, r.done.Load())
		if cmd, err = r.start(ctx); err != nil {
			return nil, err
		}
	}
	<-put
	if err := r.end(cmd); err != nil {
		return nil, err
	}
	return r.res, nil
}

// begin starts hydrant local and the clients; put is closed when they are done.
func (r *localRun) begin(ctx context.Context, faults string) (cmd *exec.Cmd, put chan struct{}, err error) {
	if err := os.WriteFile(r.path("faults.json"), []byte(faults), 0o600); err != nil {
		return nil, nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	r.addr = l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, nil, err
	}
	if cmd, err = r.start(ctx); err != nil {
		return nil, nil, err
	}
	if err := r.create(ctx); err != nil {
		return nil, nil, err
	}
	var wg sync.WaitGroup
	for c := range localClients {
		seed := r.rng.Uint64()
		wg.Go(func() { r.put(ctx, c, rand.New(rand.NewPCG(seed, 0))) })
	}
	put = make(chan struct{})
	go func() {
		wg.Wait()
		close(put)
	}()
	return cmd, put, nil
}

// end has hydrant local deliver all, and compares what was acknowledged with that.
func (r *localRun) end(cmd *exec.Cmd) error {
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("hydrant local: %w", err)
	}
	return r.judge()
}

// start starts hydrant local and waits until it answers.
func (r *localRun) start(ctx context.Context) (*exec.Cmd, error) {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, r.bin, "local", "--addr", r.addr, "--dir", r.path("objects"), "--faults", r.path("faults.json"),
		"--credentials", accessKey+":"+secretKey, "--speed", "30")
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	for began := time.Now(); time.Since(began) < 30*time.Second; time.Sleep(5 * time.Millisecond) {
		resp, err := http.Get("http://" + r.addr + "/_hydrant/state")
		if err == nil {
			resp.Body.Close()
			return cmd, nil
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	return nil, fmt.Errorf("hydrant local does not answer:\n%s", &stderr)
}

func (r *localRun) client() *sdk.Client {
	return sdk.New(sdk.Options{
		BaseEndpoint: aws.String("http://" + r.addr), Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
		HTTPClient: &http.Client{Timeout: 10 * time.Second}, RetryMaxAttempts: 1,
	})
}

func (r *localRun) create(ctx context.Context) error {
	_, err := r.client().CreateDeliveryStream(ctx, &sdk.CreateDeliveryStreamInput{
		DeliveryStreamName: aws.String(streamName),
		ExtendedS3DestinationConfiguration: &types.ExtendedS3DestinationConfiguration{
			RoleARN: aws.String("arn:aws:iam::000000000000:role/soak"), BucketARN: aws.String("arn:aws:s3:::soak"),
			BufferingHints: &types.BufferingHints{SizeInMBs: aws.Int32(1), IntervalInSeconds: aws.Int32(30)},
		},
	})
	return err
}

// put puts a client's share of the records, every one until it is acknowledged.
func (r *localRun) put(ctx context.Context, client int, rng *rand.Rand) {
	fh := r.client()
	var todo []int
	for next := client; ctx.Err() == nil; {
		for ; len(todo) < 200 && next < r.most && !r.over.Load(); next += localClients {
			todo = append(todo, next)
			r.records.Add(1)
		}
		if len(todo) == 0 {
			return
		}
		batch := todo[:min(len(todo), 1+rng.IntN(200))]
		left := r.call(ctx, fh, batch)
		todo = append(todo[len(batch):], left...)
		if len(left) > 0 {
			time.Sleep(time.Duration(rng.IntN(20)) * time.Millisecond)
		}
	}
}

// call puts records by one call, and returns those that were not acknowledged.
func (r *localRun) call(ctx context.Context, fh *sdk.Client, batch []int) (left []int) {
	in := &sdk.PutRecordBatchInput{DeliveryStreamName: aws.String(streamName)}
	for _, n := range batch {
		in.Records = append(in.Records, types.Record{Data: line(nil, n)})
	}
	out, err := fh.PutRecordBatch(ctx, in)
	if err != nil {
		return batch
	}
	r.calls.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, e := range out.RequestResponses {
		if e.ErrorCode != nil {
			left = append(left, batch[i])
			continue
		}
		r.acked.add(batch[i])
		r.done.Add(1)
	}
	return left
}

// judge compares what was acknowledged with the objects.
func (r *localRun) judge() error {
	var delivered counts
	if err := delivered.addFiles(r.path("objects", "soak")); err != nil {
		return err
	}
	r.res.Records, r.res.Calls = int(r.records.Load()), int(r.calls.Load())
	r.res.Delivered, r.res.Duplicates = delivered.distinct()
	for n := range r.acked {
		if r.acked.has(n) && !delivered.has(n) {
			r.res.Lost++
		}
	}
	return nil
}
