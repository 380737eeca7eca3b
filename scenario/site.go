package scenario

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"github.com/hydrant-go/hydrant/admin"
	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/server"
)

// site is where a run takes place: a stream, the way to it, and the way to what
// it delivers.
type site struct {
	aws aws.Config
	// control is aws for all calls but the puts.
	control aws.Config
	stream  string

	// embedded is nil on an existing stream.
	embedded *embedded
	// description is that of an existing stream.
	description *types.DeliveryStreamDescription
}

// embedded is a local Firehose that the run has started.
type embedded struct {
	dir     string
	backend *local.Backend
	server  *http.Server
}

const (
	embeddedStream = "hydrant-scenario"
	embeddedBucket = "hydrant-scenario"
	embeddedRole   = "arn:aws:iam::000000000000:role/hydrant-scenario"
	accessKey      = "AKIDHYDRANTLOCAL"
	secretKey      = "hydrant-local-secret"
	region         = "us-east-1"
)

func setUp(ctx context.Context, cfg *Config) (*site, error) {
	if cfg.Stream != "" {
		return existing(ctx, cfg)
	}
	e, endpoint, err := startEmbedded(cfg)
	if err != nil {
		return nil, err
	}
	s := &site{
		embedded: e, stream: embeddedStream,
		aws: aws.Config{
			Region: region, BaseEndpoint: aws.String(endpoint),
			Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
		},
	}
	cfg.Say("a Firehose of our own at %s, delivering into %s", endpoint, e.dir)
	s.control = admin.Control(s.aws, cfg.Logger)
	client := firehose.NewFromConfig(s.control)
	_, err = admin.Create(ctx, client, admin.StreamSpec{
		Name: s.stream, BucketARN: "arn:aws:s3:::" + embeddedBucket, RoleARN: embeddedRole,
		BufferMiB: 1, IntervalSeconds: 60,
	})
	if err == nil {
		_, err = admin.WaitActive(ctx, client, s.stream)
	}
	if err != nil {
		return nil, errors.Join(err, e.stop(ctx, false))
	}
	cfg.Say("delivery stream %s is active", s.stream)
	return s, nil
}

func existing(ctx context.Context, cfg *Config) (*site, error) {
	control := admin.Control(cfg.AWS, cfg.Logger)
	d, err := admin.Describe(ctx, firehose.NewFromConfig(control), cfg.Stream)
	if err != nil {
		return nil, err
	}
	if d.DeliveryStreamStatus != types.DeliveryStreamStatusActive {
		return nil, fmt.Errorf("delivery stream %s is %s, it must be ACTIVE to take records", cfg.Stream, d.DeliveryStreamStatus)
	}
	cfg.Say("delivery stream %s is active", cfg.Stream)
	return &site{aws: cfg.AWS, control: control, stream: cfg.Stream, description: d}, nil
}

func startEmbedded(cfg *Config) (*embedded, string, error) {
	dir, err := os.MkdirTemp("", "hydrant-scenario-")
	if err != nil {
		return nil, "", err
	}
	backend, err := local.New(local.Config{Dir: dir, Faults: cfg.plan(), Logger: cfg.Logger})
	if err != nil {
		return nil, "", err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	e := &embedded{dir: dir, backend: backend, server: &http.Server{Handler: backend.Handler(server.Config{
		Credentials: map[string]string{accessKey: secretKey}, Logger: cfg.Logger,
	})}}
	go e.server.Serve(listener) // ends in stop
	return e, "http://" + listener.Addr().String(), nil
}

// plan is the trouble that the embedded Firehose makes.
func (c *Config) plan() local.Faults {
	plan := local.Plan{Seed: c.Seed}
	switch c.Faults {
	case FaultsNone:
		return nil
	case FaultsHeavy:
		plan.ResetBefore, plan.ResetAfter = 0.05, 0.1
		plan.Delay, plan.DelayShare = 50*time.Millisecond, 0.1
	}
	plan.Refuse, plan.Error = 0.2, 0.1
	return &plan
}

func (e *embedded) stop(ctx context.Context, keep bool) error {
	err := errors.Join(e.server.Close(), e.backend.Close(ctx))
	if keep {
		return err
	}
	return errors.Join(err, os.RemoveAll(e.dir))
}

// cleanUp takes down what setUp has put up.
func (s *site) cleanUp(ctx context.Context, w *workflow) error {
	if s.embedded == nil {
		w.Say("nothing to do: delivery stream %s was there before and stays", s.stream)
		return nil
	}
	client := firehose.NewFromConfig(s.control)
	err := admin.Delete(ctx, client, s.stream, false)
	if err == nil {
		err = admin.WaitDeleted(ctx, client, s.stream)
	}
	err = errors.Join(err, s.embedded.stop(ctx, w.Keep))
	if w.Keep {
		w.report.Kept = filepath.Join(s.embedded.dir, embeddedBucket)
		w.Say("deleted delivery stream %s; its files stay in %s", s.stream, w.report.Kept)
	} else {
		w.Say("deleted delivery stream %s and its files", s.stream)
	}
	return err
}
