// Command score runs the cases of package conformance against the local Firehose
// and, where it is on the machine, moto, and writes docs/CONFORMANCE.md. With
// -endpoint it runs them against that, and prints what differs.
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
	"time"

	"github.com/hydrant-go/hydrant/server/conformance"
)

func main() {
	report := flag.String("report", "docs/CONFORMANCE.md", "the `file` to write")
	endpoint := flag.String("endpoint", "", "run against this `URL` only, and print what differs")
	key := flag.String("key", "test", "access key id for -endpoint")
	secret := flag.String("secret", "test", "secret access key for -endpoint")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if *endpoint != "" {
		show(conformance.Run(ctx, conformance.Endpoint{URL: *endpoint, Key: *key, Secret: *secret}, conformance.Cases()))
	} else {
		err = score(ctx, *report)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "score:", err)
		os.Exit(1)
	}
}

func show(results []conformance.Result) {
	passed := 0
	for _, r := range results {
		if r.Err == nil {
			passed++
			continue
		}
		fmt.Printf("%s: %s: %s\n", r.Area, r.Name, brief(r.Err))
	}
	fmt.Printf("%d of %d cases pass\n", passed, len(results))
}

func score(ctx context.Context, report string) error {
	ours, err := runLocal(ctx)
	if err != nil {
		return err
	}
	theirs, err := runMoto(ctx)
	if err != nil {
		return fmt.Errorf("moto: %w", err)
	}
	return os.WriteFile(report, page(ours, theirs), 0o644)
}

func runLocal(ctx context.Context) (results []conformance.Result, err error) {
	dir, err := os.MkdirTemp("", "conformance")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	e, stop, err := conformance.Local(dir)
	if err != nil {
		return nil, err
	}
	results = conformance.Run(ctx, e, conformance.Cases())
	return results, stop(ctx)
}

// runMoto starts moto's server; without one there are no results.
func runMoto(ctx context.Context) ([]conformance.Result, error) {
	if _, err := exec.LookPath("python3"); err != nil || exec.CommandContext(ctx, "python3", "-c", "import moto.server").Run() != nil {
		fmt.Fprintln(os.Stderr, "moto is not on this machine: its column stays empty")
		return nil, nil
	}
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
	return conformance.Run(ctx, conformance.Endpoint{URL: url, Key: "test", Secret: "test"}, conformance.Cases()), nil
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
