// Package examples_test builds the example programs and runs them against a
// local Firehose that throttles.
package examples_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/server"
)

func TestExamples(t *testing.T) {
	var mu sync.Mutex
	stored := map[string][]string{} // by stream
	backend, err := local.New(local.Config{
		Dir: t.TempDir(), Faults: &local.Plan{Seed: 1, Refuse: 0.2},
		Accepted: func(_ server.Caller, stream string, data []byte) {
			mu.Lock()
			defer mu.Unlock()
			stored[stream] = append(stored[stream], string(data))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(server.New(server.Config{Backend: backend, NoAuth: true}))
	t.Cleanup(func() {
		srv.Close()
		if err := backend.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})

	var lines, tenants []string
	for i := range 1200 {
		lines = append(lines, fmt.Sprintf("line %d\n", i))
		tenants = append(tenants, fmt.Sprintf("logs line %d\n", i))
	}
	tests := []struct {
		name  string
		args  []string
		to    string // the stream, if it has another name
		stdin []string
		want  []string
	}{
		{name: "putrecord", args: []string{`{"hello":"world"}`}, want: []string{"{\"hello\":\"world\"}\n"}},
		{name: "putrecordbatch", stdin: lines, want: lines},
		{name: "producer", stdin: lines, want: lines},
		{name: "tenants", to: "tenants-logs", stdin: tenants, want: tenants},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			source, err := os.ReadFile(filepath.Join(test.name, "main.go"))
			if err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(source, []byte("\n")); n >= 60 {
				t.Errorf("the program has %d lines, it is to have fewer than 60", n)
			}
			binary := filepath.Join(t.TempDir(), test.name)
			if out, err := exec.Command("go", "build", "-o", binary, "./"+test.name).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			run := func(args []string) (string, error) {
				cmd := exec.Command(binary, args...)
				cmd.Dir = t.TempDir()
				cmd.Env = []string{
					"HOME=" + t.TempDir(), "AWS_ENDPOINT_URL_FIREHOSE=" + srv.URL, "AWS_REGION=us-east-1",
					"AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b", "AWS_EC2_METADATA_DISABLED=true",
				}
				cmd.Stdin = strings.NewReader(strings.Join(test.stdin, ""))
				out, err := cmd.CombinedOutput()
				return string(out), err
			}
			stream := cmp.Or(test.to, test.name)
			_, err = backend.CreateDeliveryStream(t.Context(), server.Caller{Account: "000000000000", Region: "us-east-1"}, &server.CreateDeliveryStreamInput{
				DeliveryStreamName: stream,
				Destination:        server.Destination{S3: &server.S3Destination{BucketARN: "arn:aws:s3:::b", SizeInMBs: 5, IntervalInSeconds: 300, CompressionFormat: "UNCOMPRESSED"}},
			})
			if err != nil {
				t.Fatal(err)
			}
			if out, err := run(append([]string{test.name}, test.args...)); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			mu.Lock()
			defer mu.Unlock()
			got := strings.SplitAfter(strings.Join(stored[stream], ""), "\n")
			got = got[:len(got)-1]
			slices.Sort(got)
			if strings.HasPrefix(test.name, "putrecord") {
				// At least once: the SDK closes a request's body when the answer begins, net/http
				// may then break the connection in the middle of it, and the SDK repeats the call.
				// Only the producer keeps the body open (TestRequestBodyOutlivesTheAnswer).
				got = slices.Compact(got)
			}
			if want := slices.Sorted(slices.Values(test.want)); !slices.Equal(got, want) {
				t.Errorf("%d records stored, want %d", len(got), len(want))
			}
			if out, err := run(nil); err == nil || !strings.Contains(out, "usage: ") {
				t.Errorf("without arguments: %v\n%s", err, out)
			}
		})
	}
}
