package main

import (
	"context"
	"fmt"
	"net/url"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/smithy-go/logging"

	"github.com/hydrant-go/hydrant/admin"
)

// aws reads the AWS settings as every SDK does, the flags first. When its
// credentials have expired, or are invalidated, all is read anew: the SDK itself
// does not look into its files again.
func (a *app) aws(ctx context.Context) (aws.Config, error) {
	cfg, err := a.loadAWS(ctx)
	if err != nil {
		return cfg, err
	}
	first := cfg.Credentials
	cfg.Credentials = aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		if from := first; from != nil {
			first = nil
			return from.Retrieve(ctx)
		}
		again, err := a.loadAWS(ctx)
		if err != nil {
			return aws.Credentials{}, err
		}
		a.log.InfoContext(ctx, "credentials read anew")
		return again.Credentials.Retrieve(ctx)
	}))
	return cfg, nil
}

func (a *app) loadAWS(ctx context.Context) (aws.Config, error) {
	options := []func(*config.LoadOptions) error{
		config.WithAppID("hydrant"),
		config.WithLogger(logging.Nop{}), // what matters comes back as an error
	}
	if a.profile != "" {
		options = append(options, config.WithSharedConfigProfile(a.profile))
	}
	if a.region != "" {
		options = append(options, config.WithRegion(a.region))
	}
	if a.endpoint != "" {
		if u, err := url.Parse(a.endpoint); err != nil || u.Host == "" {
			return aws.Config{}, usageError("--endpoint-url is %q, it must be a whole URL such as http://127.0.0.1:4573", a.endpoint)
		}
		// The SDK takes the variables before anything that its configuration says, and
		// that of one service before that of all.
		for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_FIREHOSE"} {
			if err := os.Setenv(name, a.endpoint); err != nil {
				return aws.Config{}, err
			}
		}
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return aws.Config{}, fmt.Errorf("load the AWS settings: %w", err)
	}
	return cfg, nil
}

// control is aws for the clients of control calls: all but the puts.
func (a *app) control(ctx context.Context) (aws.Config, error) {
	cfg, err := a.aws(ctx)
	return admin.Control(cfg, a.log), err
}

func (a *app) firehose(ctx context.Context) (*firehose.Client, error) {
	cfg, err := a.control(ctx)
	if err != nil {
		return nil, err
	}
	return firehose.NewFromConfig(cfg), nil
}
