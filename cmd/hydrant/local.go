package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/spf13/cobra"

	"github.com/hydrant-go/hydrant/internal/serve"
	"github.com/hydrant-go/hydrant/internal/ui"
	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/local/convert"
	"github.com/hydrant-go/hydrant/local/deliver/s3"
	"github.com/hydrant-go/hydrant/local/process"
	"github.com/hydrant-go/hydrant/server"
	"github.com/hydrant-go/hydrant/spool"
)

// What the local Firehose's clients sign with, unless told otherwise.
const (
	localAccessKey = "AKIDHYDRANTLOCAL"
	localSecretKey = "hydrant-local-secret"
)

// defaultRegion is the local Firehose's, for who has set none.
const defaultRegion = "us-east-1"

type localOptions struct {
	addr, dir       string
	state           string
	ephemeral       bool
	maxJournal      string
	credentials     string
	noAuth          bool
	account         string
	tls             bool
	tlsCert, tlsKey string
	speed           float64
	flush           string
	stateDelay      time.Duration
	s3Endpoint      string
	lambdaEndpoint  string
	tables          []string
	allowHTTP       bool
	regionQuota     bool
	quota           local.Quota
	controlQuota    int
	plan            local.Plan
	faults          string
}

func (a *app) local() *cobra.Command {
	var o localOptions
	cmd := &cobra.Command{
		Use:   "local",
		Short: "Run a local Firehose that any AWS SDK can use, until interrupted",
		Long: `Run a local Firehose that any AWS SDK can use, until interrupted. It prints the
environment variables that point SDKs at it, and has a page for browsers at the same
address. What is put into its streams is delivered into files DIR/BUCKET/KEY, which
S3 clients can list and read there too, or to an S3 of your choice.

It also has CloudFormation for stacks of such streams, which the CDK, the AWS CLI's
cloudformation deploy and others make there, with buckets and log groups.

Streams, stacks, and records that were accepted and are not delivered yet, are kept in
DIR/.hydrant across restarts and crashes. An interrupt delivers what is buffered, and
ends it.`,
		Example: `  hydrant local
  hydrant local --speed 60                     # a buffer of 300 s is delivered after 5 s
  hydrant local --flush each-call --ephemeral  # for tests: what was put is there at once
  hydrant local --quota-records 1000 --fault-refuse 0.2`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runLocal(cmd.Context(), &o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.addr, "addr", "127.0.0.1:4573", "address to listen on; port 0 takes a free one")
	f.StringVar(&o.dir, "dir", "hydrant-local", "folder to deliver into")
	f.StringVar(&o.state, "state", "", "folder of the streams and of what is not delivered yet (default DIR/.hydrant)")
	f.BoolVar(&o.ephemeral, "ephemeral", false, "keep streams and what is not delivered in memory only")
	f.StringVar(&o.maxJournal, "max-journal", "", "most bytes that may wait for delivery; from three quarters of it on buffers are delivered early, beyond it records are throttled (default 4GiB, with --ephemeral 256MiB)")
	f.StringVar(&o.credentials, "credentials", localAccessKey+":"+localSecretKey, "access key id and secret that calls must be signed with, KEY:SECRET")
	f.BoolVar(&o.noAuth, "no-auth", false, "do not check signatures")
	f.StringVar(&o.account, "account", "000000000000", "account of all streams, 12 digits")
	f.BoolVar(&o.tls, "tls", false, "serve https, by a certificate of its own")
	f.StringVar(&o.tlsCert, "tls-cert", "", "serve https by this certificate, a PEM file")
	f.StringVar(&o.tlsKey, "tls-key", "", "its key, a PEM file")
	f.Float64Var(&o.speed, "speed", 1, "how many times as fast buffering intervals and retries pass")
	f.StringVar(&o.flush, "flush", "", "each-call: deliver what a put call brought before it is answered")
	f.DurationVar(&o.stateDelay, "state-delay", 0, "how long streams stay CREATING and DELETING")
	f.StringVar(&o.s3Endpoint, "s3-endpoint", "", "deliver to the S3 at this URL instead of the folder; signed with the SDK's own credentials, or those of --credentials")
	f.StringVar(&o.lambdaEndpoint, "lambda-endpoint", "", "URL where Lambda functions that transform records are invoked")
	f.StringArrayVar(&o.tables, "table", nil, "columns of a Glue table for format conversion: DATABASE.TABLE=id:bigint,name:string or =FILE with JSON; may be given more than once")
	f.BoolVar(&o.allowHTTP, "allow-http", false, "let HTTP endpoint destinations have http:// and other ports than 443, which AWS does not")
	f.BoolVar(&o.regionQuota, "quota-region", false, "give streams, and the control operations, the quotas that AWS gives them")
	f.IntVar(&o.quota.Records, "quota-records", 0, "records a second that each stream takes (0: no limit)")
	f.IntVar(&o.quota.Calls, "quota-calls", 0, "put calls a second that each stream takes (0: no limit)")
	f.IntVar(&o.quota.Bytes, "quota-bytes", 0, "raw bytes a second that each stream takes (0: no limit)")
	f.IntVar(&o.controlQuota, "quota-control", 0, "calls a second that each control operation takes of an account in a region (0: no limit; AWS: 5)")
	f.StringVar(&o.faults, "faults", "", "JSON file with a fault plan, instead of the flags below")
	f.Float64Var(&o.plan.Refuse, "fault-refuse", 0, `share of records to refuse with "Slow down.", 0 to 1`)
	f.Float64Var(&o.plan.Error, "fault-error", 0, "share of put calls to fail with 500 or 503, 0 to 1")
	f.Float64Var(&o.plan.ResetBefore, "fault-reset-before", 0, "share of put calls to reset before anything is stored, 0 to 1")
	f.Float64Var(&o.plan.ResetAfter, "fault-reset-after", 0, "share of put calls to reset after storing, 0 to 1")
	f.DurationVar(&o.plan.Delay, "fault-delay", 0, "longest delay of a put call")
	f.Float64Var(&o.plan.DelayShare, "fault-delay-share", 1, "share of put calls to delay, 0 to 1")
	f.Uint64Var(&o.plan.Seed, "fault-seed", 1, "the same seed makes the same faults")
	return cmd
}

var accountRE = regexp.MustCompile(`^\d{12}$`)

// check tells what is wrong with the flags, and returns the credentials.
func (o *localOptions) check() (map[string]string, error) {
	key, secret, ok := strings.Cut(o.credentials, ":")
	if !ok || key == "" || secret == "" {
		return nil, usageError("--credentials must be an access key id and a secret joined by a colon, as in KEY:SECRET")
	}
	for flag, v := range map[string]int{"--quota-records": o.quota.Records, "--quota-calls": o.quota.Calls, "--quota-bytes": o.quota.Bytes, "--quota-control": o.controlQuota} {
		if v < 0 {
			return nil, usageError("%s is %d, it must not be negative", flag, v)
		}
	}
	switch {
	case o.flush != "" && o.flush != "each-call":
		return nil, usageError("--flush is %q, it may only be each-call", o.flush)
	case !(o.speed > 0):
		return nil, usageError("--speed is %v, it must be more than 0", o.speed)
	case !accountRE.MatchString(o.account):
		return nil, usageError("--account is %q, it must have 12 digits", o.account)
	case (o.tlsCert == "") != (o.tlsKey == ""):
		return nil, usageError("--tls-cert and --tls-key go together")
	case o.ephemeral && o.state != "":
		return nil, usageError("--ephemeral keeps nothing, so --state has no use")
	case o.lambdaEndpoint != "" && !isURL(o.lambdaEndpoint):
		return nil, usageError("--lambda-endpoint is %q, it must be a URL such as http://localhost:9001", o.lambdaEndpoint)
	case o.s3Endpoint != "" && !isURL(o.s3Endpoint):
		return nil, usageError("--s3-endpoint is %q, it must be a URL such as http://localhost:9000", o.s3Endpoint)
	case o.regionQuota && (o.quota != (local.Quota{}) || o.controlQuota != 0):
		return nil, usageError("--quota-region is the whole quota; leave the other --quota flags out")
	}
	return map[string]string{key: secret}, nil
}

func isURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

// localConfig is the Firehose's.
func (a *app) localConfig(ctx context.Context, o *localOptions) (cfg local.Config, err error) {
	cfg = local.Config{
		Dir: o.dir, Quota: o.quota, RegionQuota: o.regionQuota, ControlQuota: o.controlQuota, StateDelay: o.stateDelay, Speed: o.speed, EachCall: o.flush == "each-call",
		AllowHTTP: o.allowHTTP, Logger: a.log, Lambda: process.LambdaConfig{Endpoint: o.lambdaEndpoint},
	}
	if !o.ephemeral {
		cfg.State = cmp.Or(o.state, filepath.Join(o.dir, ".hydrant"))
	}
	if o.maxJournal != "" {
		if cfg.MaxJournal, err = ui.ParseBytes(o.maxJournal); err != nil || cfg.MaxJournal < 1<<20 {
			return cfg, usageError("--max-journal is %q, it must be a size of at least 1MiB", o.maxJournal)
		}
	}
	if cfg.Tables, err = parseTables(o.tables); err != nil {
		return cfg, err
	}
	if o.lambdaEndpoint != "" || o.s3Endpoint != "" {
		sdk, err := a.localAWS(ctx, o)
		if err != nil {
			return cfg, err
		}
		cfg.Lambda.Credentials = sdk.Credentials
		if o.s3Endpoint != "" {
			if cfg.Destination, err = s3.New(s3.Config{AWS: sdk, Endpoint: o.s3Endpoint, PathStyle: true, CreateBuckets: true}); err != nil {
				return cfg, usageError("--s3-endpoint: %w", err)
			}
		}
	}
	plan := &o.plan
	if o.faults != "" {
		text, err := os.ReadFile(o.faults)
		if err != nil {
			return cfg, usageError("--faults: %w", err)
		}
		if plan, err = local.ParsePlan(text); err != nil {
			return cfg, usageError("--faults %s: %w", o.faults, err)
		}
	}
	if err := plan.Validate(); err != nil {
		return cfg, usageError("%w", err)
	}
	cfg.Faults = plan
	return cfg, nil
}

// localAWS is what the local Firehose itself calls others with: the SDK's own
// settings, and its own credentials where there are none.
func (a *app) localAWS(ctx context.Context, o *localOptions) (aws.Config, error) {
	sdk, err := a.aws(ctx)
	if err != nil {
		return sdk, err
	}
	sdk.Region = cmp.Or(sdk.Region, defaultRegion)
	if _, err := sdk.Credentials.Retrieve(ctx); err != nil {
		key, secret, _ := strings.Cut(o.credentials, ":")
		sdk.Credentials = credentials.NewStaticCredentialsProvider(key, secret, "")
	}
	return sdk, nil
}

// parseTables reads the columns of Glue tables.
func parseTables(list []string) (map[string][]convert.Column, error) {
	tables := map[string][]convert.Column{}
	for _, text := range list {
		name, columns, ok := strings.Cut(text, "=")
		if !ok || strings.Count(name, ".") != 1 {
			return nil, usageError("--table is %q, it must be DATABASE.TABLE=COLUMNS or DATABASE.TABLE=FILE", text)
		}
		if !strings.Contains(columns, ":") {
			content, err := os.ReadFile(columns)
			if err != nil {
				return nil, usageError("--table %s: %w", name, err)
			}
			columns = string(content)
		}
		var err error
		if tables[name], err = convert.ParseColumns(columns); err != nil {
			return nil, usageError("--table %s: %w", name, err)
		}
	}
	return tables, nil
}

func (a *app) runLocal(ctx context.Context, o *localOptions) error {
	keys, err := o.check()
	if err != nil {
		return err
	}
	cfg, err := a.localConfig(ctx, o)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.addr)
	if err != nil {
		return fmt.Errorf("%w\nhint: --addr 127.0.0.1:0 takes a free port", err)
	}
	defer listener.Close()
	if !o.ephemeral && os.Getenv("GOMAXPROCS") == "" { // one more, as one waits for the disk; see docs/PERFORMANCE.md
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
	backend, err := local.New(cfg)
	switch {
	case errors.Is(err, spool.ErrLocked):
		return fmt.Errorf("%w\nhint: a folder belongs to one process at a time; end that one, name another by --dir or --state, or use --ephemeral", err)
	case err != nil:
		if _, ok := errors.AsType[*fs.PathError](err); ok {
			err = fmt.Errorf("%w\nhint: --dir and --state name the folders", err)
		}
		return err
	}
	region := cmp.Or(a.region, defaultRegion)
	srv := serve.New(serve.Config{Logger: a.log, Handler: backend.Handler(server.Config{
		Credentials: keys, NoAuth: o.noAuth, Account: o.account, Region: region, AllowHTTP: o.allowHTTP, Logger: a.log,
	})})
	url, ca := "http://"+listener.Addr().String(), ""
	if o.tls || o.tlsCert != "" {
		if srv.TLSConfig, ca, err = o.serverTLS(cmp.Or(cfg.State, o.dir)); err != nil {
			return errors.Join(fmt.Errorf("serve https: %w\nhint: --tls-cert and --tls-key name PEM files; --tls alone makes a certificate", err), shutDown(srv, backend))
		}
		url = "https://" + listener.Addr().String()
	}
	served := make(chan error, 1)
	go func() {
		if srv.TLSConfig != nil {
			served <- srv.ServeTLS(listener, "", "")
			return
		}
		served <- srv.Serve(listener)
	}()
	if err := a.showLocal(url, ca, o, region); err != nil {
		return errors.Join(err, shutDown(srv, backend))
	}
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

func (a *app) showLocal(url, ca string, o *localOptions, region string) error {
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return err
	}
	key, secret, _ := strings.Cut(o.credentials, ":")
	if a.json {
		out := map[string]any{"endpoint": url, "dir": dir, "access_key_id": key, "secret_access_key": secret, "region": region}
		if ca != "" {
			out["ca_bundle"] = ca
		}
		return a.printJSON(out)
	}
	lines := [][2]string{
		{"AWS_ENDPOINT_URL", url}, // of all services: what is not here is refused by name
		{"AWS_ACCESS_KEY_ID", key},
		{"AWS_SECRET_ACCESS_KEY", secret},
		{"AWS_REGION", region},
		{"AWS_DEFAULT_REGION", region}, // what boto3 and the AWS CLI read
	}
	if ca != "" {
		if ca, err = filepath.Abs(ca); err != nil {
			return err
		}
		lines = append(lines, [2]string{"AWS_CA_BUNDLE", ca})
	}
	for _, line := range lines {
		fmt.Fprintf(a.stdout, "export %s=%s\n", line[0], line[1])
	}
	where := dir
	if o.s3Endpoint != "" {
		where = o.s3Endpoint
	}
	a.tell("\nA local Firehose listens on %s and delivers into %s. Its page is there, too.", url, where)
	a.tell("Paste the lines above into another terminal; every AWS SDK there will use it. Ctrl-C ends it.")
	return nil
}
