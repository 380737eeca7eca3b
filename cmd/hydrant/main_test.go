package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/server"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"hydrant": main})
}

// TestScript runs the real command against a local Firehose of each script's
// own; FIREHOSE_DIR is where that one delivers.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setUpScript,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":     exits,
			"jsonfield": jsonField,
			"bytes":     writeBytes,
			"faults":    setFaults,
			"delivered": delivered,
			"nodescribe": func(ts *testscript.TestScript, _ bool, _ []string) {
				site(ts).denyDescribe.Store(true)
			},
		},
	})
}

// testSite is the local Firehose of one script.
type testSite struct {
	backend      *local.Backend
	denyDescribe atomic.Bool
}

func site(ts *testscript.TestScript) *testSite { return ts.Value("site").(*testSite) }

func setUpScript(env *testscript.Env) error {
	dir := filepath.Join(env.WorkDir, "s3")
	backend, err := local.New(local.Config{Dir: dir})
	if err != nil {
		return err
	}
	s := &testSite{backend: backend}
	handler := server.New(server.Config{
		Backend: backend, Metrics: backend, Credentials: map[string]string{localAccessKey: localSecretKey},
	})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.denyDescribe.Load() && strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".DescribeDeliveryStream") {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"__type":"AccessDeniedException","message":"not authorized to perform: firehose:DescribeDeliveryStream"}`)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	env.Defer(func() {
		srv.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := backend.Close(ctx); err != nil {
			env.T().Log(err)
		}
	})
	env.Values["site"] = s
	env.Setenv("FIREHOSE_DIR", dir)
	for key, value := range map[string]string{
		"HOME": env.WorkDir, "AWS_ENDPOINT_URL": srv.URL, "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ACCESS_KEY_ID": localAccessKey, "AWS_SECRET_ACCESS_KEY": localSecretKey,
	} {
		env.Setenv(key, value)
	}
	return nil
}

// exits CODE COMMAND… runs hydrant and wants that exit code. The output is for
// stdout and stderr as exec's is.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec("hydrant", args[1:]...)
	got := 0
	if exit, ok := errors.AsType[interface {
		error
		ExitCode() int
	}](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("hydrant %s: exit code %d, want %d\n%s", strings.Join(args[1:], " "), got, want, ts.ReadFile("stderr"))
	}
}

// jsonField PATH OP VALUE looks into the last line of stdout, as in
// "jsonfield put_record.records = 100" or "jsonfield retries > 0".
func jsonField(ts *testscript.TestScript, _ bool, args []string) {
	lines := strings.Split(strings.TrimSpace(ts.ReadFile("stdout")), "\n")
	var v any
	ts.Check(json.Unmarshal([]byte(lines[len(lines)-1]), &v))
	for _, key := range strings.Split(args[0], ".") {
		object, ok := v.(map[string]any)
		if !ok {
			ts.Fatalf("%s: no object there", args[0])
		}
		if v, ok = object[key]; !ok {
			ts.Fatalf("%s: not there in %s", args[0], lines[len(lines)-1])
		}
	}
	got := fmt.Sprint(v)
	if f, ok := v.(float64); ok {
		got = strconv.FormatFloat(f, 'f', -1, 64)
	}
	ok := got == args[2]
	if args[1] == ">" {
		ok = v.(float64) > mustFloat(ts, args[2])
	}
	if !ok {
		ts.Fatalf("%s is %s, want %s %s", args[0], got, args[1], args[2])
	}
}

func mustFloat(ts *testscript.TestScript, s string) float64 {
	f, err := strconv.ParseFloat(s, 64)
	ts.Check(err)
	return f
}

// bytes FILE N… writes lines of N bytes each, line end included.
func writeBytes(ts *testscript.TestScript, _ bool, args []string) {
	var buf bytes.Buffer
	for i, arg := range args[1:] {
		n, err := strconv.Atoi(arg)
		ts.Check(err)
		buf.Write(bytes.Repeat([]byte{byte('a' + i%26)}, n-1))
		buf.WriteByte('\n')
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), buf.Bytes(), 0o600))
}

// faults REFUSE ERROR sets the local Firehose's shares of refused records and
// failed calls.
func setFaults(ts *testscript.TestScript, _ bool, args []string) {
	site(ts).backend.SetFaults(&local.Plan{Seed: 1, Refuse: mustFloat(ts, args[0]), Error: mustFloat(ts, args[1])})
}

// delivered BUCKET FILE compares what came into the bucket with FILE, as sorted
// lines.
func delivered(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(site(ts).backend.Flush(context.Background()))
	var got []byte
	root := filepath.Join(ts.Getenv("FIREHOSE_DIR"), args[0])
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		got = append(got, data...)
		return err
	})
	if !errors.Is(err, fs.ErrNotExist) {
		ts.Check(err)
	}
	want, err := os.ReadFile(ts.MkAbs(args[1]))
	ts.Check(err)
	if same := sortedLines(got) == sortedLines(want); same == neg {
		ts.Fatalf("bucket %s holds %d bytes, %s %d; the same lines: %v", args[0], len(got), args[1], len(want), same)
	}
}

func sortedLines(data []byte) string {
	lines := strings.SplitAfter(string(data), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "")
}
