package process

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/smithy-go/encoding/httpbinding"

	"github.com/hydrant-go/hydrant/wire"
)

// Invoke is called by the SDK's signer over net/http: it is one call, with
// retries of our own, and the SDK's whole Lambda client would make the command
// 3 MB larger.

// errTimeout is the cause of an invocation's end.
var errTimeout = errors.New("the invocation took too long")

// invoke invokes the function once. Where err is not nil, why has it in the
// words of the error output.
func (l *lambda) invoke(ctx context.Context, event []byte) (answer []byte, why problem, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, l.cfg.Lambda.Timeout, errTimeout)
	defer cancel()
	req, err := l.request(ctx, event)
	if err != nil {
		return nil, problem{"Lambda.InvokeAccessDenied", accessDenied}, err
	}
	resp, err := l.cfg.Lambda.HTTPClient.Do(req)
	if err != nil {
		return nil, unanswered(ctx), err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, unanswered(ctx), fmt.Errorf("read the answer: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		e := wire.DecodeError(resp.StatusCode, resp.Header.Get("X-Amzn-ErrorType"), answer)
		return nil, refusal(e), e
	}
	if kind := resp.Header.Get("X-Amz-Function-Error"); kind != "" {
		return nil, functionError, fmt.Errorf("it returned an error (%s): %s", kind, answer[:min(len(answer), 1000)])
	}
	if len(answer) > maxAnswer {
		return nil, functionError, fmt.Errorf("its answer is longer than Lambda lets through: %d bytes", maxAnswer)
	}
	return answer, problem{}, nil
}

// request is a signed call of Invoke, with the path that the SDK gives it.
func (l *lambda) request(ctx context.Context, event []byte) (*http.Request, error) {
	u := *l.endpoint
	if !strings.HasSuffix(u.Path, "/invocations") {
		base := strings.TrimSuffix(u.Path, "/") + "/2015-03-31/functions/"
		u.Path, u.RawPath = base+l.arn+"/invocations", base+httpbinding.EscapePath(l.arn, true)+"/invocations"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(event))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/octet-stream") // as the SDK has it
	req.Header.Set("X-Amz-Invocation-Type", "RequestResponse")
	if l.cfg.Lambda.Credentials == nil {
		return req, nil
	}
	creds, err := l.cfg.Lambda.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("get AWS credentials: %w", err)
	}
	sum := sha256.Sum256(event)
	if err := l.signer.SignHTTP(ctx, creds, req, hex.EncodeToString(sum[:]), "lambda", l.region, time.Now()); err != nil {
		return nil, fmt.Errorf("sign the request: %w", err)
	}
	return req, nil
}

// functionError is what became of a function that failed, ran into its own
// timeout or answered too much, when AWS was last seen (2026). Up to 2022 a
// function's own timeout was Lambda.FunctionTimedOut.
var functionError = problem{"Lambda.FunctionError", "The Lambda function was successfully invoked but it returned an error result."}

const accessDenied = "Access was denied. Ensure that the access policy allows access to the Lambda function."

// refusal is what Lambda's answer to Invoke becomes. For other answers than
// these AWS documents Lambda and the name of the error, where it documents them.
// Lambda.AssumeRoleAccessDenied is not here: no role is assumed.
func refusal(e *wire.Error) problem {
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return problem{"Lambda.InvokeAccessDenied", accessDenied}
	case http.StatusNotFound:
		return problem{"Lambda.ResourceNotFound", "The specified Lambda function does not exist. Use a different function that does exist."}
	case http.StatusTooManyRequests:
		return problem{"Lambda.InvokeLimitExceeded", "The Lambda concurrent execution limit is exceeded. Increase the concurrent execution limit."}
	}
	return problem{"Lambda." + cmp.Or(e.Code, "ServiceException"), e.Message}
}

// unanswered is what becomes of an invocation without an answer. The text of
// the first was seen when a function timed out; the second is ours, for a
// service that is not there, which AWS's always is.
func unanswered(ctx context.Context) problem {
	if context.Cause(ctx) == errTimeout {
		return problem{"Lambda.FunctionTimedOut", "The Lambda function invocation timed out. Increase the Timeout setting in the Lambda function."}
	}
	return problem{"Lambda.ConnectionFailed", "The Lambda service did not answer. Ensure that it runs at the endpoint that is configured."}
}
