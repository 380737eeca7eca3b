package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// openFor is the SDK at e until the test's end.
func (s SDK) openFor(t *testing.T, e Endpoint) client {
	t.Helper()
	c, err := s.open(context.WithoutCancel(t.Context()), e) // close needs it after the test
	if errors.Is(err, ErrNoBoto3) {
		t.Skipf("SKIPPED, boto3 is not tested: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// Whatever the environment says, an SDK calls the endpoint that it was given, once,
// and hands back the answer as it came beside what it read in it.
func TestClient(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1", "AWS_PROFILE": "nobody", "AWS_MAX_ATTEMPTS": "4",
		"AWS_ACCESS_KEY_ID": "AKIDOTHER", "AWS_SECRET_ACCESS_KEY": "x", "AWS_SESSION_TOKEN": "x", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
		"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1", "http_proxy": "http://127.0.0.1:1", "NO_PROXY": "example.com",
	} {
		t.Setenv(name, value)
	}
	cases := []struct {
		name   string
		status int // 0: the connection ends
		body   string
		want   answer
		fails  bool
	}{
		{
			"output", 200, ` {"DeliveryStreamNames":["a"], "HasMoreDeliveryStreams":false} `,
			answer{status: 200, output: []byte(`{"DeliveryStreamNames":["a"],"HasMoreDeliveryStreams":false}`)},
			false,
		},
		{
			"refusal", 500, `{"__type":"com.amazonaws.firehose#ServiceUnavailableException", "Message":"Slow down."}`,
			answer{status: 500, code: "ServiceUnavailableException", message: "Slow down."},
			false,
		},
		{"throttled", 400, `{"__type":"ThrottlingException","message":"m"}`, answer{status: 400, code: "ThrottlingException", message: "m"}, false},
		{"an error that is no JSON", 502, `<html>`, answer{status: 502}, true},
		{"an output that is no JSON", 200, `<html>`, answer{status: 200}, true},
		{"an empty output", 200, ``, answer{status: 200}, false},
		{"no answer", 0, ``, answer{}, true},
	}
	for _, sdk := range []SDK{Go, Boto3} {
		t.Run(string(sdk), func(t *testing.T) {
			var f fixed
			srv := httptest.NewServer(&f)
			defer srv.Close()
			c := sdk.openFor(t, Endpoint{URL: srv.URL, Key: "AKIDGIVEN", Secret: "s"})
			for _, tc := range cases {
				f.set(tc.status, tc.body)
				got, err := c.call(t.Context(), "ListDeliveryStreams", `{"Limit":0}`, "")
				if (err != nil) != tc.fails {
					t.Errorf("%s: %v", tc.name, err)
				}
				if diff := gocmp.Diff([]string{`AKIDGIVEN us-east-1 {"Limit":0}`}, f.calls()); diff != "" {
					t.Errorf("%s: calls (-want +got):\n%s", tc.name, diff)
				}
				if got.status != tc.want.status || string(got.body) != tc.body || !tc.fails && (got.code != tc.want.code || got.message != tc.want.message) {
					t.Errorf("%s: %d %s, read as %s %q, want %d %s %q", tc.name, got.status, got.body, got.code, got.message, tc.want.status, tc.want.code, tc.want.message)
				}
				if tc.want.output != nil {
					if err := (Want{Fields: string(tc.want.output)}).check(got, nil, strings.NewReplacer()); err != nil {
						t.Errorf("%s: %v", tc.name, err)
					}
				}
			}
			f.set(200, "{}")
			for op, in := range map[string]string{"ListDeliveryStreams": `{"Limits":1}`, "MakeDeliveryStream": `{}`} {
				if got, err := c.call(t.Context(), op, in, ""); err == nil || len(f.calls()) > 0 {
					t.Errorf("%s %s: %q, %+v", op, in, f.calls(), got)
				}
			}
		})
	}
}

// fixed answers every call alike.
type fixed struct {
	mu     sync.Mutex // guards all below
	status int        // 0: the connection ends
	body   string
	got    []string
}

func (f *fixed) set(status int, body string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status, f.body, f.got = status, body, nil
}

// calls is each call's key, region and body since set.
func (f *fixed) calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.got
}

func (f *fixed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	scope := strings.Split(strings.TrimPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="), "/") // KEY/DATE/REGION/…
	f.mu.Lock()
	defer f.mu.Unlock()
	f.got = append(f.got, scope[0]+" "+scope[min(2, len(scope)-1)]+" "+strings.ReplaceAll(string(text), " ", ""))
	if f.status == 0 {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(f.status)
	fmt.Fprint(w, f.body)
}

// A python3 without boto3, or with one that ends, is told from one that answers.
func TestNoBoto3(t *testing.T) {
	Boto3.openFor(t, Endpoint{URL: "http://127.0.0.1:1"}) // it is there
	for module, want := range map[string]string{
		`raise ImportError("not today")`:             ErrNoBoto3.Error() + " (not today)",
		`import sys; print("noise"); sys.exit(0)`:    "the driver of boto3: invalid character",
		`import sys; sys.exit("Traceback:\nbroken")`: "boto3 has ended: broken",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "boto3.py"), []byte(module), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PYTHONPATH", dir)
		if _, err := Run(t.Context(), Endpoint{}, Boto3, nil); err == nil || !strings.HasPrefix(err.Error(), want) || errors.Is(err, ErrNoBoto3) != strings.Contains(module, "ImportError") {
			t.Errorf("%s: %v, want %s", module, err, want)
		}
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := Run(t.Context(), Endpoint{}, Boto3, nil); !errors.Is(err, ErrNoBoto3) {
		t.Errorf("without python3: %v", err)
	}
	if _, err := Run(t.Context(), Endpoint{}, "ruby", nil); err == nil {
		t.Error("the SDK ruby is known")
	}
}
