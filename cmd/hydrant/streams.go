package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/spf13/cobra"

	"github.com/hydrant-go/hydrant/admin"
	"github.com/hydrant-go/hydrant/internal/ui"
)

func (a *app) streams() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "streams",
		Short: "List, describe, create and delete delivery streams",
		Args:  cobra.ArbitraryArgs,
		RunE:  verbsOnly,
	}
	cmd.AddCommand(a.streamsList(), a.streamsDescribe(), a.streamsCreate(), a.streamsDelete())
	return cmd
}

func (a *app) streamsList() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Print the names of all delivery streams, in alphabetical order",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := a.firehose(cmd.Context())
			if err != nil {
				return err
			}
			names := []string{}
			for name, err := range admin.Streams(cmd.Context(), client) {
				if err != nil {
					return err
				}
				if limit > 0 && len(names) == limit {
					break
				}
				names = append(names, name)
				if !a.json {
					fmt.Fprintln(a.stdout, name)
				}
			}
			if a.json {
				return a.printJSON(map[string]any{"streams": names})
			}
			if len(names) == 0 {
				a.tell("no delivery streams in this account and region")
			}
			return nil
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 0, "print at most this many (0: all)")
	return cmd
}

// description is a stream as the command shows it.
type description struct {
	Name            string     `json:"name"`
	ARN             string     `json:"arn"`
	Status          string     `json:"status"`
	Type            string     `json:"type"`
	Version         string     `json:"version"`
	Created         *time.Time `json:"created,omitempty"`
	Failure         string     `json:"failure,omitempty"`
	Bucket          string     `json:"bucket,omitempty"`
	Role            string     `json:"role,omitempty"`
	Prefix          string     `json:"prefix,omitempty"`
	ErrorPrefix     string     `json:"error_prefix,omitempty"`
	Compression     string     `json:"compression,omitempty"`
	BufferMiB       *int32     `json:"buffer_mib,omitempty"`
	IntervalSeconds *int32     `json:"interval_seconds,omitempty"`

	Tags map[string]string `json:"tags,omitempty"`
}

func describe(d *types.DeliveryStreamDescription) description {
	str := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	out := description{
		Name: str(d.DeliveryStreamName), ARN: str(d.DeliveryStreamARN), Status: string(d.DeliveryStreamStatus),
		Type: string(d.DeliveryStreamType), Version: str(d.VersionId), Created: d.CreateTimestamp,
	}
	if d.FailureDescription != nil {
		out.Failure = fmt.Sprintf("%s: %s", d.FailureDescription.Type, str(d.FailureDescription.Details))
	}
	if len(d.Destinations) == 0 || d.Destinations[0].ExtendedS3DestinationDescription == nil {
		return out
	}
	s3 := d.Destinations[0].ExtendedS3DestinationDescription
	out.Bucket, out.Role = str(s3.BucketARN), str(s3.RoleARN)
	out.Prefix, out.ErrorPrefix = str(s3.Prefix), str(s3.ErrorOutputPrefix)
	out.Compression = string(s3.CompressionFormat)
	if s3.BufferingHints != nil {
		out.BufferMiB, out.IntervalSeconds = s3.BufferingHints.SizeInMBs, s3.BufferingHints.IntervalInSeconds
	}
	return out
}

func (a *app) showStream(d description) error {
	if a.json {
		return a.printJSON(d)
	}
	t := ui.NewTable(a.stdout)
	row := func(name, value string) {
		if value != "" {
			t.Row(name, value)
		}
	}
	row("name", d.Name)
	row("arn", d.ARN)
	row("status", d.Status)
	row("failure", d.Failure)
	row("type", d.Type)
	row("version", d.Version)
	if d.Created != nil {
		row("created", d.Created.UTC().Format(time.RFC3339))
	}
	row("bucket", d.Bucket)
	row("role", d.Role)
	row("prefix", d.Prefix)
	row("error prefix", d.ErrorPrefix)
	row("compression", d.Compression)
	if d.BufferMiB != nil && d.IntervalSeconds != nil {
		row("buffer", fmt.Sprintf("%d MiB or %d s", *d.BufferMiB, *d.IntervalSeconds))
	}
	for _, key := range slices.Sorted(maps.Keys(d.Tags)) {
		row("tag", key+"="+d.Tags[key])
	}
	return t.Flush()
}

func (a *app) streamsDescribe() *cobra.Command {
	return &cobra.Command{
		Use:   "describe STREAM",
		Short: "Print a delivery stream's state and settings",
		Args:  arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := a.firehose(cmd.Context())
			if err != nil {
				return err
			}
			d, err := admin.Describe(cmd.Context(), client, args[0])
			if err != nil {
				return err
			}
			out := describe(d)
			if out.Tags, err = a.tags(cmd.Context(), client, args[0]); err != nil {
				return err
			}
			return a.showStream(out)
		},
	}
}

// tags are a stream's. Who may describe it need not be allowed to see them.
func (a *app) tags(ctx context.Context, client admin.TagLister, stream string) (map[string]string, error) {
	tags := map[string]string{}
	for tag, err := range admin.Tags(ctx, client, stream) {
		if admin.IsDenied(err) {
			a.tell("the tags are not shown: %v", admin.Explain(err))
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		tags[tag.Key] = tag.Value
	}
	return tags, nil
}

func (a *app) streamsCreate() *cobra.Command {
	spec := admin.StreamSpec{BufferMiB: -1, IntervalSeconds: -1}
	var noWait bool
	cmd := &cobra.Command{
		Use:   "create STREAM",
		Short: "Create a delivery stream into an S3 bucket, and wait until it is active",
		Example: `  hydrant streams create my-stream --bucket-arn arn:aws:s3:::my-bucket \
      --role-arn arn:aws:iam::123456789012:role/firehose-delivery --compression GZIP`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if spec.BucketARN == "" || spec.RoleARN == "" {
				return usageError("a delivery stream needs a bucket and a role\nhint: give --bucket-arn and --role-arn")
			}
			client, err := a.firehose(cmd.Context())
			if err != nil {
				return err
			}
			spec.Name = args[0]
			if _, err := admin.Create(cmd.Context(), client, spec); err != nil {
				return err
			}
			if noWait {
				d, err := admin.Describe(cmd.Context(), client, args[0])
				if err != nil {
					return err
				}
				return a.showStream(describe(d))
			}
			a.tell("created %s, waiting until it is active", args[0])
			d, err := admin.WaitActive(cmd.Context(), client, args[0])
			if err != nil {
				return err
			}
			return a.showStream(describe(d))
		},
	}
	f := cmd.Flags()
	f.StringVar(&spec.BucketARN, "bucket-arn", "", "bucket to deliver to (required)")
	f.StringVar(&spec.RoleARN, "role-arn", "", "role that Firehose takes to write there (required)")
	f.StringVar(&spec.Prefix, "prefix", "", "what object keys begin with")
	f.StringVar(&spec.ErrorOutputPrefix, "error-prefix", "", "what the keys of failed records begin with")
	f.StringVar(&spec.Compression, "compression", "", "UNCOMPRESSED, GZIP, ZIP, Snappy or HADOOP_SNAPPY (default UNCOMPRESSED)")
	f.IntVar(&spec.BufferMiB, "buffer-mib", -1, "deliver after this many MiB, 1 to 128 (default 5)")
	f.IntVar(&spec.IntervalSeconds, "interval-seconds", -1, "deliver after this many seconds, 0 to 900 (default 300)")
	f.StringVar(&spec.FileExtension, "file-extension", "", "suffix of object keys instead of the compression's own, such as .ndjson.gz")
	f.StringVar(&spec.TimeZone, "time-zone", "", "IANA time zone of the times in keys (default UTC)")
	f.BoolVar(&noWait, "no-wait", false, "do not wait until the stream is active")
	f.Lookup("buffer-mib").DefValue, f.Lookup("interval-seconds").DefValue = "", ""
	return cmd
}

func (a *app) streamsDelete() *cobra.Command {
	var force, ifExists, noWait bool
	cmd := &cobra.Command{
		Use:   "delete STREAM",
		Short: "Delete a delivery stream, with what it has buffered, and wait until it is gone",
		Args:  arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := a.firehose(cmd.Context())
			if err != nil {
				return err
			}
			deleted := true
			err = admin.Delete(cmd.Context(), client, args[0], force)
			if _, gone := errors.AsType[*types.ResourceNotFoundException](err); gone && ifExists {
				deleted, err = false, nil
			}
			if err == nil && deleted && !noWait {
				err = admin.WaitDeleted(cmd.Context(), client, args[0])
			}
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]any{"name": args[0], "deleted": deleted})
			}
			if deleted {
				fmt.Fprintln(a.stdout, "deleted", args[0])
			} else {
				fmt.Fprintln(a.stdout, args[0], "does not exist")
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.BoolVar(&force, "force", false, "delete even when Firehose cannot retire its KMS grant")
	f.BoolVar(&ifExists, "if-exists", false, "a stream that does not exist is no error")
	f.BoolVar(&noWait, "no-wait", false, "do not wait until the stream is gone")
	return cmd
}
