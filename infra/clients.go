package infra

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/hydrant-go/hydrant/admin"
	"github.com/hydrant-go/hydrant/internal/keepbody"
)

// clients are what a stack's life takes. They are patient, as what they have begun goes
// on without them; all but the first look, which shows whether anybody is there.
type clients struct {
	first *cloudformation.Client
	cfn   *cloudformation.Client
	s3    *s3.Client
}

func clientsFor(cfg aws.Config) clients {
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = awshttp.NewBuildableClient()
	}
	cfg.HTTPClient = keepbody.Client{HTTPClient: cfg.HTTPClient}
	patient := admin.Patient(cfg)
	return clients{
		cloudformation.NewFromConfig(cfg),
		cloudformation.NewFromConfig(patient),
		admin.S3(patient),
	}
}

// look returns a stack. Only the first look is not patient.
func (c *clients) look(ctx context.Context, stack string) (*types.Stack, error) {
	client := c.cfn
	if c.first != nil {
		client, c.first = c.first, nil
	}
	return admin.Stack(ctx, client, stack)
}
