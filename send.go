package hydrant

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/hydrant-go/hydrant/wire"
)

// sender makes one put call and writes into a what came back.
type sender interface {
	send(ctx context.Context, stream string, records [][]byte, a *answer) error
}

// answer is what comes back from a put call.
type answer struct {
	entries   []wire.PutEntry // in the order of the records
	requestID string          // the service's name for the call, if it has answered
}

// sdkSender sends through the SDK's client, or the caller's own.
type sdkSender struct {
	client Client
	single bool // every call is a PutRecord
}

// retriesOff leaves retry to the producer, which alone knows which records of a
// call were refused.
func retriesOff(o *firehose.Options) { o.Retryer = aws.NopRetryer{} }

func (s *sdkSender) send(ctx context.Context, stream string, records [][]byte, a *answer) error {
	if s.single {
		out, err := s.client.PutRecord(ctx, &firehose.PutRecordInput{
			DeliveryStreamName: &stream,
			Record:             &types.Record{Data: records[0]},
		}, retriesOff)
		if err != nil {
			a.requestID = requestIDOf(err)
			return err
		}
		a.requestID, _ = middleware.GetRequestIDMetadata(out.ResultMetadata)
		a.entries = append(a.entries, wire.PutEntry{RecordID: aws.ToString(out.RecordId)})
		return nil
	}
	in := &firehose.PutRecordBatchInput{DeliveryStreamName: &stream, Records: make([]types.Record, len(records))}
	for i, data := range records {
		in.Records[i].Data = data
	}
	out, err := s.client.PutRecordBatch(ctx, in, retriesOff)
	if err != nil {
		a.requestID = requestIDOf(err)
		return err
	}
	a.requestID, _ = middleware.GetRequestIDMetadata(out.ResultMetadata)
	for _, e := range out.RequestResponses {
		a.entries = append(a.entries, wire.PutEntry{
			RecordID:     aws.ToString(e.RecordId),
			ErrorCode:    aws.ToString(e.ErrorCode),
			ErrorMessage: aws.ToString(e.ErrorMessage),
		})
	}
	return nil
}

// requestIDOf is the request id of a call of the SDK that failed; empty without an
// answer.
func requestIDOf(err error) string {
	if resp, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		return resp.ServiceRequestID()
	}
	return ""
}

// failure is why a call or a single record did not go through, and what to do
// about it.
type failure struct {
	code, message string
	class         wire.Class
	stored        bool // the records may have been stored all the same
	throttled     bool // for want of quota
}

func (f *failure) String() string {
	if f.code == "" {
		return f.message
	}
	return f.code + ": " + f.message
}

// callFailure classes the error of a whole call.
func callFailure(err error) *failure {
	f := &failure{message: err.Error()}
	status := 0
	if own, ok := errors.AsType[*wire.Error](err); ok {
		status, f.code, f.message = own.Status, own.Code, own.Message
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		f.code, f.message = api.ErrorCode(), api.ErrorMessage()
	}
	// The SDK uses this type for calls without an answer too, with status 0.
	if resp, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		status = resp.HTTPStatusCode()
	}
	if f.code == "UnknownError" { // the SDK's word for an error body without a code
		f.code = ""
	}
	f.class, f.stored = wire.Classify(f.code, f.message, status)
	f.throttled = wire.Throttled(f.code, status)
	if status == 0 && neverSent(err) {
		f.stored = false
	}
	if f.message == "" {
		f.message = fmt.Sprintf("HTTP status %d without a message", status)
	}
	return f
}

// neverSent tells of an error of a call without an answer whether no byte of it
// can have reached the service: no connection, or no signed request at all.
func neverSent(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return true
	}
	if _, ok := errors.AsType[*unsentError](err); ok {
		return true
	}
	_, fromSDK := errors.AsType[*smithy.OperationError](err)
	_, atSend := errors.AsType[*smithyhttp.RequestSendError](err)
	canceled := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	return fromSDK && !atSend && !canceled
}

// entryFailure classes one entry of an answer; nil means that the record is
// stored. An entry counts as stored only by its RecordId: one with neither
// member says nothing, and is as good as a code that nobody knows.
func entryFailure(e wire.PutEntry) *failure {
	if e.ErrorCode == "" && e.RecordID != "" {
		return nil
	}
	f := &failure{code: e.ErrorCode, message: e.ErrorMessage}
	if f.code == "" {
		f.message = "the answer's entry holds neither a record id nor an error code"
		f.class, f.stored = wire.Unknown, true
		return f
	}
	f.class, f.stored = wire.Classify(f.code, f.message, 200)
	f.throttled = wire.Throttled(f.code, 200)
	return f
}
