package stacks

import (
	"context"
	"strings"

	"github.com/hydrant-go/hydrant/internal/awsapi"
)

// GetCallerIdentity
//
// Kept: the form of the answer. Every caller is the root of its account: there are no
// users here.
// Left out, and refused by name: all else. Who needs a role's credentials, such as the
// CDK with a bootstrap stack, is told so by AssumeRole.

// STS is the API of AWS STS, in the Query protocol.
func STS() *awsapi.Service {
	service := &awsapi.Service{
		Name: "STS", Signing: "sts",
		Version: "2011-06-15", Namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
		Operations: map[string]awsapi.Operation{"GetCallerIdentity": getCallerIdentity},
	}
	service.Unsupported(unsupportedSTS)
	return service
}

const unsupportedSTS = `AssumeRole AssumeRoleWithSAML AssumeRoleWithWebIdentity AssumeRoot DecodeAuthorizationMessage GetAccessKeyInfo
	GetDelegatedAccessToken GetFederationToken GetSessionToken GetWebIdentityToken`

type callerIdentity struct{ UserId, Account, Arn string }

func getCallerIdentity(_ context.Context, c *awsapi.Call) (any, error) {
	return callerIdentity{UserId: c.Account, Account: c.Account, Arn: global(c.Caller, "iam", "root")}, nil
}

// global names a resource of a service without regions.
func global(c awsapi.Caller, service, resource string) string {
	parts := strings.SplitN(c.ARN(service, resource), ":", 6)
	parts[3] = ""
	return strings.Join(parts, ":")
}
