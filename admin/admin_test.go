package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/admin"
	"github.com/hydrant-go/hydrant/hydranttest"
)

// inProcess is an HTTP client that calls a handler, for answers that a local
// Firehose does not give. It starts no goroutine, so that it does in a bubble.
type inProcess struct{ http.Handler }

func (p inProcess) Do(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w.Result(), nil
}

// configFor is the settings of clients that talk to h, once per call.
func configFor(h http.Handler) aws.Config {
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String("http://aws.test"), HTTPClient: inProcess{h},
		Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", ""),
		Retryer:     func() aws.Retryer { return aws.NopRetryer{} },
	}
}

// scripted answers calls one after the other, the last answer for ever, and notes
// what it was asked: in JSON, or in CBOR as CloudWatch's client speaks.
type scripted struct {
	answers []any // a map is an answer, an awsError one too
	asked   []map[string]any
	at      []time.Time
}

type awsError struct {
	status        int
	code, message string
}

func (s *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in map[string]any
	decode, encode := json.NewDecoder(r.Body).Decode, json.NewEncoder(w).Encode
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if r.Header.Get("Smithy-Protocol") != "" {
		decode, encode = cbor.NewDecoder(r.Body).Decode, cbor.NewEncoder(w).Encode
		w.Header().Set("Content-Type", "application/cbor")
		w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
	}
	if err := decode(&in); err != nil {
		panic(err)
	}
	s.asked, s.at = append(s.asked, in), append(s.at, time.Now())
	answer := s.answers[min(len(s.asked), len(s.answers))-1]
	w.Header().Set("X-Amzn-RequestId", "00000000-1111-2222-3333-444444444444")
	if e, ok := answer.(awsError); ok {
		w.WriteHeader(e.status)
		answer = map[string]any{"__type": e.code, "message": e.message}
	}
	if err := encode(answer); err != nil {
		panic(err)
	}
}

func (s *scripted) client() *firehose.Client { return firehose.NewFromConfig(configFor(s)) }

func bubble(t *testing.T, f func(*testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

func testSpec(name string) admin.StreamSpec {
	return admin.StreamSpec{
		Name: name, BucketARN: "arn:aws:s3:::b", RoleARN: "arn:aws:iam::000000000000:role/r",
		BufferMiB: -1, IntervalSeconds: -1,
	}
}

func collect[T any](t *testing.T, seq iter.Seq2[T, error]) []T {
	t.Helper()
	got := []T{}
	for v, err := range seq {
		if err != nil {
			t.Fatalf("after %d: %v", len(got), err)
		}
		got = append(got, v)
	}
	return got
}

func TestStreamLife(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := hydranttest.Start(t, hydranttest.Options{}).Client()
		spec := testSpec("s")
		spec.Prefix, spec.ErrorOutputPrefix, spec.Compression = "p/", "e/", "GZIP"
		spec.FileExtension, spec.TimeZone = ".ndjson.gz", "Europe/Berlin"
		arn, err := admin.Create(t.Context(), c, spec)
		if err != nil {
			t.Fatal(err)
		}
		d, err := admin.WaitActive(t.Context(), c, "s")
		if err != nil {
			t.Fatal(err)
		}
		got := d.Destinations[0].ExtendedS3DestinationDescription
		want := []any{
			arn, "arn:aws:s3:::b", "arn:aws:iam::000000000000:role/r", "p/", "e/", types.CompressionFormatGzip,
			".ndjson.gz", "Europe/Berlin", int32(5), int32(300),
		}
		if diff := cmp.Diff(want, []any{
			*d.DeliveryStreamARN, *got.BucketARN, *got.RoleARN, *got.Prefix, *got.ErrorOutputPrefix, got.CompressionFormat,
			*got.FileExtension, *got.CustomTimeZone, *got.BufferingHints.SizeInMBs, *got.BufferingHints.IntervalInSeconds,
		}); diff != "" {
			t.Errorf("description (-want +got):\n%s", diff)
		}
		if _, err := admin.Create(t.Context(), c, spec); !isA[*types.ResourceInUseException](err) {
			t.Errorf("a second Create: %v", err)
		}
		if err := admin.Delete(t.Context(), c, "s", false); err != nil {
			t.Error(err)
		}
		if err := admin.WaitDeleted(t.Context(), c, "s"); err != nil {
			t.Error(err)
		}
		if err := admin.Delete(t.Context(), c, "s", true); !isA[*types.ResourceNotFoundException](err) {
			t.Errorf("a second Delete: %v", err)
		}
	})
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func TestBufferingHints(t *testing.T) {
	type object = map[string]any
	for _, tc := range []struct {
		mib, seconds int
		want         any
	}{
		{-1, -1, nil},
		{1, 60, object{"SizeInMBs": 1.0, "IntervalInSeconds": 60.0}},
		{2, 0, object{"SizeInMBs": 2.0, "IntervalInSeconds": 0.0}},
		{7, -1, object{"SizeInMBs": 7.0, "IntervalInSeconds": 300.0}},
		{-1, 9, object{"SizeInMBs": 5.0, "IntervalInSeconds": 9.0}},
		{0, -1, object{"SizeInMBs": 0.0, "IntervalInSeconds": 300.0}},
		{1<<32 + 5, -1, object{"SizeInMBs": float64(1<<31 - 1), "IntervalInSeconds": 300.0}},
	} {
		s := &scripted{answers: []any{object{"DeliveryStreamARN": "arn"}}}
		spec := testSpec("s")
		spec.BufferMiB, spec.IntervalSeconds = tc.mib, tc.seconds
		if _, err := admin.Create(t.Context(), s.client(), spec); err != nil {
			t.Fatal(err)
		}
		destination := s.asked[0]["ExtendedS3DestinationConfiguration"].(object)
		if diff := cmp.Diff(tc.want, destination["BufferingHints"]); diff != "" {
			t.Errorf("%d MiB, %d s (-want +got):\n%s", tc.mib, tc.seconds, diff)
		}
		for _, unset := range []string{"Prefix", "CompressionFormat", "FileExtension", "CustomTimeZone"} {
			if v, ok := destination[unset]; ok {
				t.Errorf("%s is sent as %q", unset, v)
			}
		}
	}
}

func TestStreamsPages(t *testing.T) {
	for _, n := range []int{0, 1, 99, 100, 101, 200, 201} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				fh := hydranttest.Start(t, hydranttest.Options{})
				want := []string{}
				for i := range n {
					want = append(want, fmt.Sprintf("s%03d", i))
					fh.CreateStream(want[i])
				}
				if diff := cmp.Diff(want, collect(t, admin.Streams(t.Context(), fh.Client()))); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

// What a listing does with pages that the API should not send, but that would
// send it round in circles.
func TestStreamsOddPages(t *testing.T) {
	page := func(more bool, names ...string) any {
		return map[string]any{"DeliveryStreamNames": names, "HasMoreDeliveryStreams": more}
	}
	for _, tc := range []struct {
		name  string
		pages []any
		want  []string
		calls int
	}{
		{"empty with more", []any{page(true)}, []string{}, 1},
		{"empty with more, later", []any{page(true, "a"), page(true)}, []string{"a"}, 2},
		{"short pages", []any{page(true, "a"), page(true, "b"), page(false, "c")}, []string{"a", "b", "c"}, 3},
		{"empty last page", []any{page(true, "a"), page(false)}, []string{"a"}, 2},
		{"overlap", []any{page(true, "a", "b"), page(false, "b", "c")}, []string{"a", "b", "c"}, 2},
		{"the same for ever", []any{page(true, "a", "b")}, []string{"a", "b"}, 2},
	} {
		s := &scripted{answers: tc.pages}
		if diff := cmp.Diff(tc.want, collect(t, admin.Streams(t.Context(), s.client()))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
		if len(s.asked) != tc.calls {
			t.Errorf("%s: %d calls, want %d", tc.name, len(s.asked), tc.calls)
		}
	}
}

func TestStreamsStops(t *testing.T) {
	s := &scripted{answers: []any{
		map[string]any{"DeliveryStreamNames": []string{"a", "b"}, "HasMoreDeliveryStreams": true},
		awsError{400, "ThrottlingException", "Rate exceeded"},
	}}
	for range admin.Streams(t.Context(), s.client()) {
		break
	}
	if len(s.asked) != 1 {
		t.Errorf("%d calls after a break, want 1", len(s.asked))
	}
	s.asked = nil
	var got []string
	for name, err := range admin.Streams(t.Context(), s.client()) {
		got = append(got, name)
		if err != nil {
			got = append(got, err.Error())
		}
	}
	if len(got) != 4 || got[1] != "b" || got[2] != "" || !strings.Contains(got[3], "Rate exceeded") {
		t.Errorf("%q, want a, b and one error", got)
	}
}

// status is Describe's answer for a stream in that state.
func status(s types.DeliveryStreamStatus) any {
	return map[string]any{"DeliveryStreamDescription": map[string]any{
		"DeliveryStreamName": "s", "DeliveryStreamStatus": s,
		"FailureDescription": map[string]any{"Type": "KMS_ACCESS_DENIED", "Details": "no such key"},
	}}
}

const gone = "ResourceNotFoundException"

func TestWaits(t *testing.T) {
	notFound := awsError{400, gone, "Firehose s under account 000000000000 not found."}
	active := func(ctx context.Context, c *firehose.Client) error {
		d, err := admin.WaitActive(ctx, c, "s")
		if err == nil && d.DeliveryStreamStatus != types.DeliveryStreamStatusActive {
			return fmt.Errorf("description says %s", d.DeliveryStreamStatus)
		}
		return err
	}
	deleted := func(ctx context.Context, c *firehose.Client) error { return admin.WaitDeleted(ctx, c, "s") }
	for _, tc := range []struct {
		name    string
		wait    func(context.Context, *firehose.Client) error
		answers []any
		calls   int
		want    string // in the error; "" is none
	}{
		{"active at once", active, []any{status("ACTIVE")}, 1, ""},
		{"active later", active, []any{status("CREATING"), status("CREATING"), status("ACTIVE")}, 3, ""},
		{"failed", active, []any{status("CREATING"), status("CREATING_FAILED")}, 2, "s is CREATING_FAILED: KMS_ACCESS_DENIED: no such key"},
		{"deleted meanwhile", active, []any{status("CREATING"), status("DELETING")}, 2, "s is DELETING"},
		{"never there", active, []any{notFound}, 1, "not found"},
		{"no description", active, []any{map[string]any{}}, 1, "the answer holds no description"},
		{"gone at once", deleted, []any{notFound}, 1, ""},
		{"gone later", deleted, []any{status("ACTIVE"), status("DELETING"), notFound}, 3, ""},
		{"not deleted", deleted, []any{status("DELETING"), status("DELETING_FAILED")}, 2, "hint: hydrant streams delete --force"},
		{"denied", deleted, []any{awsError{400, "AccessDeniedException", "no"}}, 1, "AccessDeniedException"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := &scripted{answers: tc.answers}
				err := tc.wait(t.Context(), s.client())
				if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
					t.Errorf("error %v, want %q", err, tc.want)
				}
				if len(s.asked) != tc.calls {
					t.Errorf("%d calls, want %d", len(s.asked), tc.calls)
				}
			})
		})
	}
}

// The looks of a long wait get rarer, as other callers of the account share five
// a second; and they end with the context.
func TestWaitSlowsDown(t *testing.T) {
	for name, wait := range map[string]func(context.Context, *firehose.Client) error{
		"active": func(ctx context.Context, c *firehose.Client) error {
			_, err := admin.WaitActive(ctx, c, "s")
			return err
		},
		"deleted": func(ctx context.Context, c *firehose.Client) error { return admin.WaitDeleted(ctx, c, "s") },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := &scripted{answers: []any{status("CREATING")}}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				started := time.Now()
				if err := wait(ctx, s.client()); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "s") {
					t.Errorf("error %v", err)
				}
				if took := time.Since(started); took != 10*time.Minute {
					t.Errorf("took %v", took)
				}
				var gaps []time.Duration
				for i := 1; i < len(s.at); i++ {
					gaps = append(gaps, s.at[i].Sub(s.at[i-1]))
				}
				if first, least, most := gaps[0], slices.Min(gaps), slices.Max(gaps); first > 500*time.Millisecond ||
					least < 250*time.Millisecond || most > 10*time.Second || most < 6*time.Second {
					t.Errorf("gaps %v", gaps)
				}
				if slices.Compare(gaps[10:], slices.Repeat(gaps[10:11], len(gaps)-10)) == 0 {
					t.Error("gaps without jitter")
				}
			})
		})
	}
}
