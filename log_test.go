package hydrant_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant"
	"github.com/hydrant-go/hydrant/hydranttest"
	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/wire"
)

// Every call is logged with what an operator has to know of it, every failure with its
// code and the wait after it, and nothing with a record's data.
func TestLog(t *testing.T) {
	const canary = "canary-in-a-record"
	var out bytes.Buffer
	cfg := hydrant.Config{
		Logger:       slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})),
		BatchRecords: 2, InFlight: 1, Packing: hydrant.PackOff,
	}
	faults := []local.Fault{
		hydranttest.Fail(503, wire.CodeServiceUnavailable, wire.SlowDown), hydranttest.ResetBefore(), hydranttest.Refuse(1),
		hydranttest.Slow(3 * time.Second), hydranttest.Fail(400, wire.CodeInvalidKMSResource, "no key"),
	}
	inBubble(t, cfg, faults, func(r *rig) {
		r.put(canary+"1", canary+"2")
		r.flush()
		r.put(canary + "3")
		r.flush()
		r.put(strings.Repeat(canary, wire.MaxRecordBytes/len(canary)+1)) // too large
		r.flush()
	})
	if text := out.String(); strings.Contains(text, canary) || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte(canary))) {
		t.Errorf("record data in the log:\n%s", text)
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		var l struct {
			Level, Msg, Stream, Operation, Code, Class, Error string
			Records, Bytes, Attempt, Accepted, Refused        int
			Took, Wait                                        time.Duration
			RequestID                                         string `json:"request_id"`
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		if l.Stream != stream {
			t.Errorf("of no stream: %s", line)
		}
		if failed := l.Class != ""; failed != (l.Wait > 0) && l.Class != "refuse" || failed && l.Error == "" {
			t.Errorf("a failure without a wait or a reason: %s", line)
		}
		if put := strings.HasPrefix(l.Operation, "Put"); put && (l.RequestID == "") != (l.Class == "retry" && l.Code == "") {
			t.Errorf("request id: %s", line)
		}
		got = append(got, fmt.Sprintf("%s %s %s %d %d, attempt %d, %d/%d %s %v", l.Level, l.Msg, l.Operation, l.Records, l.Bytes, l.Attempt, l.Accepted, l.Refused, l.Code, l.Took.Truncate(time.Second)))
	}
	const size = len(canary) + 2
	want := []string{
		"DEBUG control call DescribeDeliveryStream 0 0, attempt 0, 0/0  0s",
		fmt.Sprintf("WARN put call failed PutRecordBatch 2 %d, attempt 1, 0/0 ServiceUnavailableException 0s", 2*size),
		fmt.Sprintf("WARN put call failed PutRecordBatch 2 %d, attempt 2, 0/0  0s", 2*size),
		fmt.Sprintf("INFO records refused PutRecordBatch 2 %d, attempt 3, 1/1 ServiceUnavailableException 0s", 2*size),
		fmt.Sprintf("DEBUG put call PutRecordBatch 1 %d, attempt 4, 1/0  3s", size),
		fmt.Sprintf("WARN put call failed PutRecordBatch 1 %d, attempt 1, 0/0 InvalidKMSResourceException 0s", size),
		"ERROR records in the dead letter  1 0, attempt 0, 0/0 InvalidKMSResourceException 0s",
		"ERROR records in the dead letter  1 0, attempt 0, 0/0 RecordTooLarge 0s",
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
