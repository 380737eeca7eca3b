package process

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/google/uuid"
)

// maxEvent and maxAnswer are what Lambda takes and gives in a synchronous
// invocation, in bytes (its own error messages say so).
const (
	maxEvent  = 6<<20 - 1
	maxAnswer = 6<<20 + 100
)

// lambda is the Lambda processor.
type lambda struct {
	arn      string
	region   string // the function's
	retries  int
	size     int // bytes of records in an invocation
	interval time.Duration

	cfg      Config
	endpoint *url.URL
	signer   *v4.Signer
	log      *slog.Logger
}

// problem is why records fail, in the words of the error output.
type problem struct{ code, message string }

// The codes and texts are those that AWS was seen to write, or else those of
// the developer guide (CloudWatch Logs, Lambda invocation errors).
var (
	missingID    = problem{"Lambda.MissingRecordId", "One or more record Ids were not returned. Ensure that the Lambda function returns all received record Ids."}
	duplicateID  = problem{"Lambda.DuplicatedRecordId", "Multiple records were returned with the same record Id. Ensure that the Lambda function returns a unique record Id for each record."}
	statusFailed = problem{"Lambda.ProcessingFailedStatus", "ProcessingFailed status set for record"}
	noData       = problem{"Lambda.InvalidReturnFormat", "The data field cannot be null when the SourceType is DirectPut or KinesisStreamAsSource and processing result is Ok. The value field cannot be null when the SourceType is MSKAsSource and processing result is Ok."}
	badAnswer    = problem{"Lambda.FunctionError", "Check your function and make sure the output is in required format. In addition to that, make sure the processed records contain valid result status of Dropped, Ok, or ProcessingFailed"}
	noJSON       = problem{"Lambda.JsonProcessingException", "There was an error parsing returned records from the Lambda function. Ensure that the returned records follow the status model required by Amazon Data Firehose."}
)

// run invokes the function for as many records at a time as the size of the
// buffer and Lambda allow, one invocation after the other.
func (l *lambda) run(ctx context.Context, in []Record) (out []Record, failed []Failed, err error) {
	room := maxEvent - len(l.event(nil)) + len(",") // the first row has none before it
	for len(in) > 0 {
		rows := l.batch(in, room)
		batch := in[:max(len(rows), 1)]
		in = in[len(batch):]
		if len(rows) == 0 {
			failed = append(failed, *l.fails(batch[0], 1, problem{"Lambda.RequestTooLargeException", "Request must be smaller than 6291456 bytes for the InvokeFunction operation"}))
			continue
		}
		ok, bad, err := l.transform(ctx, batch, rows)
		if err != nil {
			return nil, nil, err
		}
		out = append(out, ok...)
		failed = append(failed, bad...)
	}
	return out, failed, nil
}

// batch is the rows of the first records that go into an invocation: the first
// one whatever the buffer's size is, and none when it is too long for Lambda.
func (l *lambda) batch(in []Record, room int) (rows [][]byte) {
	size := 0
	for _, r := range in {
		row, _ := json.Marshal(struct { // strings and a number: it can't fail
			RecordID string `json:"recordId"`
			Arrival  int64  `json:"approximateArrivalTimestamp"`
			Data     string `json:"data"` // never null, though it be empty
		}{r.ID, r.Arrival.UnixMilli(), base64.StdEncoding.EncodeToString(r.Data)})
		size += len(r.Data)
		room -= len(row) + len(",")
		if room < 0 || len(rows) > 0 && size > l.size {
			return rows
		}
		rows = append(rows, row)
	}
	return rows
}

// event is what the function gets. Every attempt has an invocation of its own;
// the records are the same, byte for byte (AWS was seen to do so).
func (l *lambda) event(rows [][]byte) []byte {
	head, _ := json.Marshal(struct {
		InvocationID string `json:"invocationId"`
		StreamARN    string `json:"deliveryStreamArn"`
		Region       string `json:"region"`
	}{uuid.NewString(), l.cfg.StreamARN, l.cfg.Region})
	e := append(head[:len(head)-len("}")], `,"records":[`...)
	return append(append(e, bytes.Join(rows, []byte(","))...), "]}"...)
}

// transform invokes the function until it answers or its retries are used up.
// What it answers is final, however it looks: AWS was seen to try again when
// the function failed or could not be invoked, and not when it answered badly.
func (l *lambda) transform(ctx context.Context, batch []Record, rows [][]byte) (out []Record, failed []Failed, err error) {
	for attempt := 1; ; attempt++ {
		start := time.Now()
		answer, why, err := l.invoke(ctx, l.event(rows))
		if ctx.Err() != nil {
			return nil, nil, context.Cause(ctx)
		}
		if l.cfg.Invoked != nil {
			l.cfg.Invoked(time.Since(start), err == nil)
		}
		if err == nil {
			out, failed = l.settle(batch, answer, attempt)
			return out, failed, nil
		}
		log := l.log.With(slog.String("function", l.arn), slog.Int("attempt", attempt), slog.Int("records", len(batch)),
			slog.String("code", why.code), slog.Any("error", err))
		if attempt > l.retries {
			log.Error("the Lambda function failed too often, its records go to the error output")
			for _, r := range batch {
				failed = append(failed, *l.fails(r, attempt, why))
			}
			return nil, failed, nil
		}
		wait := l.wait(attempt)
		log.Warn("the Lambda function failed", slog.Duration("retry_in", wait))
		if !sleep(ctx, wait) {
			return nil, nil, context.Cause(ctx)
		}
	}
}

func (l *lambda) wait(attempt int) time.Duration {
	wait := l.cfg.Lambda.RetryWait << min(attempt-1, 4)
	return time.Duration(float64(wait) * (0.85 + 0.3*rand.Float64()))
}

// sleep tells whether it was not woken by the end of ctx.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (l *lambda) fails(r Record, attempts int, why problem) *Failed {
	f := r.fails(ProcessingFailed, why.code, why.message)
	f.Attempts, f.LambdaARN = attempts, l.arn
	return f
}

// settle gives each record of a batch what the answer says of it. What the
// answer says of other ids was seen to have no effect.
func (l *lambda) settle(batch []Record, answer []byte, attempts int) (out []Record, failed []Failed) {
	results, whole := decodeAnswer(answer)
	for _, r := range batch {
		drop, why := false, whole
		if whole == nil {
			drop, why = results[r.ID].apply(&r, l.cfg.DynamicPartitioning)
		}
		switch {
		case why != nil && why.code == codeMetadata:
			failed = append(failed, *r.fails(MetadataExtractionFailed, why.code, why.message))
		case why != nil:
			failed = append(failed, *l.fails(r, attempts, *why))
		case !drop:
			out = append(out, r)
		}
	}
	return out, failed
}
