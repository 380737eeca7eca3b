// Command score runs the cases of package conformance against the local Firehose
// and, where it is on the machine, moto, each by the SDK for Go and by boto3, and
// writes docs/CONFORMANCE.md. With -endpoint it runs them against that, and prints
// what differs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"time"

	"github.com/hydrant-go/hydrant/server/conformance"
)

func main() {
	report := flag.String("report", "docs/CONFORMANCE.md", "the `file` to write")
	endpoint := flag.String("endpoint", "", "run against this `URL` only, and print what differs")
	sdk := flag.String("client", "go", "for -endpoint: the `SDK` that makes the calls, go or boto3")
	key := flag.String("key", "test", "access key id for -endpoint")
	secret := flag.String("secret", "test", "secret access key for -endpoint")
	flush := flag.Bool("flush", false, "for -endpoint: it is a hydrant local, which is told to deliver before objects are read")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if *endpoint != "" {
		e := conformance.Endpoint{URL: *endpoint, Key: *key, Secret: *secret}
		if *flush {
			e.Flush = conformance.Flush(e.URL)
		}
		err = show(ctx, e, conformance.SDK(*sdk))
	} else {
		err = score(ctx, *report)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "score:", err)
		os.Exit(1)
	}
}

func show(ctx context.Context, e conformance.Endpoint, sdk conformance.SDK) error {
	results, err := conformance.Run(ctx, e, sdk, conformance.Cases())
	if err != nil {
		return err
	}
	for _, r := range results {
		if r.Err != nil {
			fmt.Printf("%s: %s: %s\n", r.Area, r.Name, brief(r.Err))
		}
	}
	fmt.Printf("%d of %d cases pass\n", passes(results), len(results))
	return nil
}

func score(ctx context.Context, report string) error {
	moto, haveMoto := python(ctx, "moto", "moto.server")
	boto3, haveBoto3 := python(ctx, "boto3", "boto3")
	columns := []column{
		{server: "local", sdk: conformance.Go},
		{server: "local", sdk: conformance.Boto3},
		{server: "moto", sdk: conformance.Go},
		{server: "moto", sdk: conformance.Boto3},
	}
	for i := range columns {
		c := &columns[i]
		if c.server == "moto" && !haveMoto || c.sdk == conformance.Boto3 && !haveBoto3 {
			fmt.Fprintf(os.Stderr, "score: NOT RUN: %s; for it: python3 -m pip install boto3 'moto[server]'\n", c.title())
			continue
		}
		run := runLocal
		if c.server == "moto" {
			run = runMoto
		}
		var err error
		if c.results, err = run(ctx, c.sdk); err != nil {
			return fmt.Errorf("%s: %w", c.title(), err)
		}
	}
	return os.WriteFile(report, page(conformance.Cases(), columns, moto, boto3), 0o644)
}

// python tells whether python3 can import a package's module, and the package's
// name with its version.
func python(ctx context.Context, name, module string) (string, bool) {
	version, err := exec.CommandContext(ctx, "python3", "-c", "import "+module+"; print("+name+".__version__)").Output()
	if err != nil {
		return name, false
	}
	return name + " " + strings.TrimSpace(string(version)), true
}

func runLocal(ctx context.Context, sdk conformance.SDK) (results []conformance.Result, err error) {
	dir, err := os.MkdirTemp("", "conformance")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	e, stop, err := conformance.Local(dir)
	if err != nil {
		return nil, err
	}
	results, err = conformance.Run(ctx, e, sdk, conformance.Cases())
	return results, errors.Join(err, stop(ctx))
}

// runMoto starts a server of moto's, which knows nothing of earlier runs.
func runMoto(ctx context.Context, sdk conformance.SDK) ([]conformance.Result, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, "python3", "-m", "moto.server", "-p", port)
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, err
	}
	defer func() {
		cancel()
		_ = cmd.Wait() // it was killed
	}()
	url := "http://127.0.0.1:" + port
	if err := await(ctx, url); err != nil {
		return nil, err
	}
	return conformance.Run(ctx, conformance.Endpoint{URL: url, Key: "test", Secret: "test"}, sdk, conformance.Cases())
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port, l.Close()
}

// await waits for a server that has just been started.
func await(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/moto-api/data.json", nil)
		if err != nil {
			return err
		}
		if resp, err := http.DefaultClient.Do(r); err == nil {
			return resp.Body.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
