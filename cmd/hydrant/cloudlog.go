package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/spf13/cobra"

	"github.com/hydrant-go/hydrant/admin"
	"github.com/hydrant-go/hydrant/cwlog"
	"github.com/hydrant-go/hydrant/internal/keepbody"
)

// logFlushTime is how long the command's end may wait for CloudWatch Logs.
const logFlushTime = 5 * time.Second

// cloudLog is the log in CloudWatch Logs, beside that on stderr.
type cloudLog struct {
	*cwlog.Handler
	began time.Time
}

// startLog makes the verb's log: on stderr, and in CloudWatch Logs if that is asked for.
func (a *app) startLog(cmd *cobra.Command) error {
	level, err := parseLevel(a.logLevel)
	if err != nil {
		return err
	}
	cloudLevel := slog.LevelInfo
	if cmd.Flags().Changed("log-level") {
		cloudLevel = level
	} else if cmd.Name() == "tail" {
		level = slog.LevelWarn // it runs for months, and nobody waits for its result
	}
	stderr, err := newLogHandler(a.stderr, level, a.logFormat)
	if err != nil {
		return err
	}
	a.log = slog.New(stderr)
	switch {
	case a.logStream != "" && a.logGroup == "":
		return usageError("--log-stream needs --log-group")
	case a.logGroup == "" && cmd.Flags().Changed("log-group"):
		return usageError("--log-group is empty, it must be the name of a log group")
	case a.logGroup == "":
		return nil
	case a.logStream == "":
		a.logStream = defaultLogStream(time.Now())
	}
	return a.startCloudLog(cmd, stderr, cloudLevel)
}

func (a *app) startCloudLog(cmd *cobra.Command, stderr slog.Handler, level slog.Level) error {
	cfg, err := a.aws(cmd.Context())
	if err != nil {
		return fmt.Errorf("--log-group: %w", err)
	}
	if cfg.Region == "" {
		return errors.New("--log-group: no AWS region")
	}
	if _, err := cfg.Credentials.Retrieve(cmd.Context()); err != nil {
		return fmt.Errorf("--log-group: get AWS credentials: %w", err)
	}
	h, err := cwlog.New(cwlog.Config{
		Client: cloudwatchlogs.NewFromConfig(cfg, func(o *cloudwatchlogs.Options) { o.HTTPClient = keepbody.Client{HTTPClient: o.HTTPClient} }),
		Group:  a.logGroup, Stream: a.logStream, Options: slog.HandlerOptions{Level: level}, Fallback: stderr,
	})
	if err != nil {
		return usageError("--log-group and --log-stream: %w", err)
	}
	a.cloud = &cloudLog{h, time.Now()}
	a.log = slog.New(slog.NewMultiHandler(stderr, h))
	slog.New(h).Info("hydrant begins", slog.String("verb", verbOf(cmd)), slog.String("version", version()))
	return nil
}

// endLog logs how the verb has ended, which stderr tells already, and sends what is left.
// An interrupt meanwhile ends it at once.
func (a *app) endLog(ctx context.Context, code int, err error) {
	if a.cloud == nil {
		return
	}
	attrs := []slog.Attr{slog.Int("exit_code", code), slog.Duration("took", time.Since(a.cloud.began))}
	level := slog.LevelInfo
	if err != nil {
		level = slog.LevelError
		attrs = append(attrs, slog.String("error", admin.Explain(err).Error()))
	}
	slog.New(a.cloud).LogAttrs(ctx, level, "hydrant ends", attrs...)
	if ctx.Err() != nil {
		ctx = context.WithoutCancel(ctx) // a second interrupt ends the process by itself
	}
	ctx, cancel := context.WithTimeout(ctx, logFlushTime)
	defer cancel()
	_ = a.cloud.Close(ctx) // what is lost is told on stderr
}

// verbOf is a verb's name, as in "streams list".
func verbOf(cmd *cobra.Command) string {
	_, verb, _ := strings.Cut(cmd.CommandPath(), " ")
	return verb
}

// defaultLogStream is a name that no other process has.
func defaultLogStream(now time.Time) string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	host = strings.NewReplacer(":", "-", "*", "-").Replace(host)
	return fmt.Sprintf("%s-%d-%s", host, os.Getpid(), now.UTC().Format("20060102T150405Z"))
}
