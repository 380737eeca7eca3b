package admin

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"

	"github.com/hydrant-go/hydrant/wire"
)

// Explain words an error for people: its cause without the SDK's wrapping, and
// what to do about it on a line of its own, after "hint: ". The error stays in
// the chain. An error that has a hint already comes back as it is.
func Explain(err error) error {
	if err == nil || strings.Contains(err.Error(), "\nhint: ") {
		return err
	}
	text := plain(err)
	if hint := hintFor(err, text); hint != "" {
		text += "\nhint: " + hint
	}
	return &explained{text, err}
}

type explained struct {
	text string
	err  error
}

func (e *explained) Error() string { return e.text }
func (e *explained) Unwrap() error { return e.err }

// plain is err's text with the SDK's report of an operation cut down to the
// service's own code and message, or to the cause where no answer came.
func plain(err error) string {
	text := err.Error()
	op, ok := errors.AsType[*smithy.OperationError](err)
	if !ok {
		return text
	}
	cause := op.Unwrap().Error()
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		cause = api.ErrorCode()
		if m := api.ErrorMessage(); m != "" {
			cause += ": " + m
		}
	} else if netErr, ok := errors.AsType[*net.OpError](err); ok {
		cause = netErr.Error()
	} else if i := strings.LastIndex(cause, "request send failed, "); i >= 0 {
		cause = cause[i+len("request send failed, "):]
	}
	return strings.Replace(text, op.Error(), cause, 1)
}

// codeOf is the service's error code in err, or "".
func codeOf(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	if w, ok := errors.AsType[*wire.Error](err); ok {
		return w.Code
	}
	return ""
}

func hintFor(err error, text string) string {
	switch codeOf(err) {
	case wire.CodeResourceNotFound:
		return "hydrant streams list shows the delivery streams there are in this account and region"
	case wire.CodeResourceInUse:
		return "use another name, or see its state with hydrant streams describe"
	case wire.CodeLimitExceeded:
		return "delete a delivery stream that is not needed, or ask AWS for a higher quota"
	case wire.CodeAccessDenied, "AccessDenied":
		return "the caller's IAM policy must allow the action that the message names, on this delivery stream"
	case wire.CodeUnrecognizedClient, "InvalidClientTokenId":
		return "the access key is not known there: check AWS_ACCESS_KEY_ID, AWS_PROFILE and the endpoint"
	case wire.CodeInvalidSignature:
		if strings.HasPrefix(text, "Signature expired") || strings.Contains(text, "Signature expired") || strings.Contains(text, "not yet current") {
			return "set this machine's clock: it is more than 15 minutes off"
		}
		return "the secret does not belong to the access key: check AWS_SECRET_ACCESS_KEY and AWS_PROFILE"
	case wire.CodeMissingAuthToken, wire.CodeIncompleteSignature:
		return "something between here and the service has changed the request's headers; check the endpoint and any proxy"
	case wire.CodeExpiredToken, "ExpiredToken":
		return "get new credentials, as with aws sso login"
	}
	return hintForNoAnswer(err, text)
}

// hintForNoAnswer looks at failures that come before any answer does.
func hintForNoAnswer(err error, text string) string {
	if _, ok := errors.AsType[*aws.MissingRegionError](err); ok || strings.Contains(text, "Invalid Configuration: Missing Region") || strings.Contains(text, "no AWS region") {
		return "set AWS_REGION, or give --region"
	}
	switch {
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return ""
	case strings.Contains(text, "credentials") && (strings.Contains(text, "failed to refresh") || strings.Contains(text, "get AWS credentials") || strings.Contains(text, "no EC2 IMDS role")):
		return "no AWS credentials were found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; hydrant local needs none of AWS's"
	case strings.Contains(text, "failed to get shared config profile"):
		return "the profiles are in ~/.aws/config and ~/.aws/credentials; check --profile and AWS_PROFILE"
	}
	if _, ok := errors.AsType[*url.Error](err); ok { // what every failed HTTP exchange is
		return "the endpoint can't be reached: check the network, the region and AWS_ENDPOINT_URL_FIREHOSE"
	}
	return ""
}
