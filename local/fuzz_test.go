package local_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/server"
)

// FuzzPlan: a plan that is taken is within its bounds, and the same when it is written
// and read again.
func FuzzPlan(f *testing.F) {
	f.Add([]byte(`{"seed":7,"refuse":0.1,"delay":"200ms","rules":[{"op":"PutRecord","share":1,"status":500,"code":"InternalFailure"},{"share":0.5,"refuse":0.2,"reset":"after","delay":"1s"}]}`))
	f.Add([]byte(`{"error":0.5,"reset_before":0.25,"reset_after":0.25,"delay_share":1e-300,"delay":"2562047h47m16.854775807s"}`))
	f.Add([]byte(`{"rules":[{"share":1e999}]}`))
	f.Add([]byte(`{"delay":"-0s","rules":[null,{}]} x`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := local.ParsePlan(text)
		if err != nil {
			return
		}
		again, err := json.Marshal(p)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		got, err := local.ParsePlan(again)
		if err != nil || !cmp.Equal(p, got, cmpopts.IgnoreUnexported(local.Plan{})) {
			t.Errorf("%s as %s: %+v, %v, want %+v", text, again, got, err, p)
		}
		for range 10 {
			fault := p.Next("PutRecord", 2)
			if fault.Delay < 0 || fault.Code != "" && fault.Status != 0 && (fault.Status < 400 || fault.Status > 599) {
				t.Errorf("%s: %+v", text, fault)
			}
			if fault.Refuse != nil {
				fault.Refuse(1)
			}
		}
	})
}

// FuzzCalls: whatever is called, the answer does not say that the server is to blame. It
// may ask to slow down, as it does after 1,000 uploads.
func FuzzCalls(f *testing.F) {
	logger := slog.New(slog.DiscardHandler)
	b, err := local.New(local.Config{Dir: f.TempDir(), Logger: logger, MaxJournal: 1 << 20})
	if err != nil {
		f.Fatal(err)
	}
	h := b.Handler(server.Config{NoAuth: true, Logger: logger})
	for _, raw := range requests(f) {
		head, body, _ := strings.Cut(raw, "\r\n\r\n")
		line, headers, _ := strings.Cut(head, "\r\n")
		method, path, _ := strings.Cut(strings.TrimSuffix(line, " HTTP/1.1"), " ")
		f.Add(method, path, lengthRE.ReplaceAllString(headers, "X: y"), body)
	}
	f.Fuzz(func(t *testing.T, method, path, headers, body string) {
		fr := &front{Handler: h, backend: b}
		fr.makeStream(t, "s", "")
		raw := fmt.Sprintf("%s %s HTTP/1.1\r\n%s\r\nContent-Length: %d\r\n\r\n%s", method, path, headers, len(body), body)
		if status, answer := fr.do(t, raw); status >= 500 && status != http.StatusNotImplemented && !strings.Contains(answer, "<Code>SlowDown<") {
			t.Errorf("%q: %d %s", raw, status, answer)
		}
		b.SetFaults(nil)
		_ = b.SetQuota(local.Quota{})
	})
}
