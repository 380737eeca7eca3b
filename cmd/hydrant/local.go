package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/server"
)

// What the local Firehose's clients sign with, unless told otherwise.
const (
	localAccessKey = "AKIDHYDRANTLOCAL"
	localSecretKey = "hydrant-local-secret"
)

type localOptions struct {
	addr, dir   string
	credentials string
	noAuth      bool
	quota       local.Quota
	plan        local.Plan
}

func (a *app) local() *cobra.Command {
	var o localOptions
	cmd := &cobra.Command{
		Use:   "local",
		Short: "Run a local Firehose that any AWS SDK can use, until interrupted",
		Long: `Run a local Firehose that any AWS SDK can use, until interrupted. It prints the
environment variables that point SDKs at it. What is put into its streams is
delivered into files DIR/BUCKET/KEY. An interrupt delivers what is buffered, and
ends it.`,
		Example: `  hydrant local
  hydrant local --quota-records 1000 --fault-refuse 0.2`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runLocal(cmd.Context(), &o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.addr, "addr", "127.0.0.1:4573", "address to listen on; port 0 takes a free one")
	f.StringVar(&o.dir, "dir", "hydrant-local", "folder to deliver into")
	f.StringVar(&o.credentials, "credentials", localAccessKey+":"+localSecretKey, "access key id and secret that calls must be signed with, KEY:SECRET")
	f.BoolVar(&o.noAuth, "no-auth", false, "do not check signatures")
	f.IntVar(&o.quota.Records, "quota-records", 0, "records a second that each stream takes (0: no limit)")
	f.IntVar(&o.quota.Calls, "quota-calls", 0, "put calls a second that each stream takes (0: no limit)")
	f.IntVar(&o.quota.Bytes, "quota-bytes", 0, "raw bytes a second that each stream takes (0: no limit)")
	f.Float64Var(&o.plan.Refuse, "fault-refuse", 0, `share of records to refuse with "Slow down.", 0 to 1`)
	f.Float64Var(&o.plan.Error, "fault-error", 0, "share of put calls to fail with 500 or 503, 0 to 1")
	f.Float64Var(&o.plan.ResetBefore, "fault-reset-before", 0, "share of put calls to reset before anything is stored, 0 to 1")
	f.Float64Var(&o.plan.ResetAfter, "fault-reset-after", 0, "share of put calls to reset after storing, 0 to 1")
	f.DurationVar(&o.plan.Delay, "fault-delay", 0, "longest delay of a put call")
	f.Float64Var(&o.plan.DelayShare, "fault-delay-share", 1, "share of put calls to delay, 0 to 1")
	f.Uint64Var(&o.plan.Seed, "fault-seed", 1, "the same seed makes the same faults")
	return cmd
}

func (o *localOptions) check() (map[string]string, error) {
	key, secret, ok := strings.Cut(o.credentials, ":")
	if !ok || key == "" || secret == "" {
		return nil, usageError("--credentials must be an access key id and a secret joined by a colon, as in KEY:SECRET")
	}
	for flag, v := range map[string]int{"--quota-records": o.quota.Records, "--quota-calls": o.quota.Calls, "--quota-bytes": o.quota.Bytes} {
		if v < 0 {
			return nil, usageError("%s is %d, it must not be negative", flag, v)
		}
	}
	if err := o.plan.Validate(); err != nil {
		return nil, usageError("%w", err)
	}
	return map[string]string{key: secret}, nil
}

func (a *app) runLocal(ctx context.Context, o *localOptions) error {
	keys, err := o.check()
	if err != nil {
		return err
	}
	region := a.region
	if region == "" {
		region = "us-east-1"
	}
	backend, err := local.New(local.Config{Dir: o.dir, Quota: o.quota, Faults: &o.plan, Logger: a.log})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.addr)
	if err != nil {
		return fmt.Errorf("%w\nhint: --addr 127.0.0.1:0 takes a free port", err)
	}
	srv := &http.Server{
		Handler: backend.Handler(server.Config{
			Credentials: keys, NoAuth: o.noAuth, Region: region, Logger: a.log,
		}),
		ReadHeaderTimeout: 10 * time.Second,
	}
	if err := a.showLocal("http://"+listener.Addr().String(), o, region); err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(listener) }()
	select {
	case err = <-served:
	case <-ctx.Done():
		a.tell("delivering what is buffered")
	}
	return errors.Join(err, shutDown(srv, backend))
}

// shutDown lets the calls under way end, then delivers every buffer.
func shutDown(srv *http.Server, backend *local.Backend) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return errors.Join(srv.Shutdown(ctx), backend.Close(ctx))
}

func (a *app) showLocal(url string, o *localOptions, region string) error {
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return err
	}
	key, secret, _ := strings.Cut(o.credentials, ":")
	if a.json {
		return a.printJSON(map[string]any{"endpoint": url, "dir": dir, "access_key_id": key, "secret_access_key": secret, "region": region})
	}
	for _, line := range [][2]string{
		{"AWS_ENDPOINT_URL_FIREHOSE", url},
		{"AWS_ENDPOINT_URL_CLOUDWATCH", url},
		{"AWS_ACCESS_KEY_ID", key},
		{"AWS_SECRET_ACCESS_KEY", secret},
		{"AWS_REGION", region},
		{"AWS_DEFAULT_REGION", region}, // what boto3 and the AWS CLI read
	} {
		fmt.Fprintf(a.stdout, "export %s=%s\n", line[0], line[1])
	}
	a.tell("\nA local Firehose listens on %s and delivers into %s.", url, dir)
	a.tell("Paste the lines above into another terminal; every AWS SDK there will use it. Ctrl-C ends it.")
	return nil
}
