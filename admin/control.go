package admin

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go/middleware"

	"github.com/hydrant-go/hydrant/wire"
)

// controlAttempts are enough for a minute or so, with the SDK's back-off.
const controlAttempts = 10

// Patient returns settings for calls of the control side that are worth waiting for,
// whatever fails that may pass: they are made up to ten times, with the SDK's back-off,
// where its default, and that of [Control], is three. What somebody has set otherwise
// stays.
func Patient(cfg aws.Config) aws.Config {
	own := cfg.Retryer
	switch {
	case cfg.RetryMaxAttempts != 0:
	case own == nil:
		cfg.RetryMaxAttempts = controlAttempts
	default:
		cfg.Retryer = func() aws.Retryer {
			r := own()
			if p, ok := r.(*patience); ok {
				p.attempts = controlAttempts
			}
			return r
		}
	}
	return cfg
}

// maxThrottled is how often a call is made that is throttled each time: for a minute
// and a half, about. Other failures have the SDK's three attempts, as somebody waits.
const maxThrottled = 12

// Control is cfg for the clients of control calls, of which an account has few a second
// (Firehose: five of each operation; developer guide, limits). What is throttled is tried
// again for longer than by the SDK's default, which gives up after three attempts: with
// exponential back-off and full jitter, up to 20 s, so that those who call at once come to
// their turns. A LimitExceededException of Firehose is a quota of resources and is not
// tried again. aws.Config.RetryMaxAttempts and AWS_MAX_ATTEMPTS come first.
//
// Each attempt is logged at debug, each wait before another one at warn.
func Control(cfg aws.Config, log *slog.Logger) aws.Config {
	cfg.Retryer = func() aws.Retryer {
		standard := retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts = maxThrottled
			o.RateLimiter = ratelimit.None // which would fail calls when others have been throttled for long
			o.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(notLimits)}, o.Retryables...)
		})
		return &patience{standard, retry.DefaultMaxAttempts, log}
	}
	cfg.APIOptions = append(slices.Clip(cfg.APIOptions), func(stack *middleware.Stack) error {
		return stack.Finalize.Insert(&attemptLog{log}, "Retry", middleware.After)
	})
	return cfg
}

func notLimits(err error) aws.Ternary {
	if codeOf(err) == wire.CodeLimitExceeded {
		return aws.FalseTernary
	}
	return aws.UnknownTernary
}

// patience is the SDK's retryer that makes more attempts at what is throttled.
type patience struct {
	*retry.Standard
	attempts int // at what fails otherwise
	log      *slog.Logger
}

// RetryDelay is the wait before another attempt, or err if there is to be none.
func (p *patience) RetryDelay(attempt int, err error) (time.Duration, error) {
	throttled := retry.IsErrorThrottles(retry.DefaultThrottles).IsErrorThrottle(err).Bool()
	if !throttled && attempt >= p.attempts {
		return 0, err
	}
	wait, delayErr := p.Standard.RetryDelay(attempt, err)
	if delayErr != nil {
		return 0, delayErr
	}
	failed := &failedAttempt{}
	errors.As(err, &failed)
	p.log.Warn("control call is tried again", slog.String("service", failed.service), slog.String("operation", failed.operation),
		slog.Int("attempt", attempt), slog.String("code", codeOf(err)), slog.String("error", plain(err)), slog.Duration("wait", wait))
	return wait, nil
}

// failedAttempt tells the retryer of which call an error is.
type failedAttempt struct {
	error
	service, operation string
}

func (e *failedAttempt) Unwrap() error { return e.error }

// attemptLog logs each attempt at a call, without its input and output.
type attemptLog struct{ log *slog.Logger }

func (*attemptLog) ID() string { return "HydrantLog" }

func (l *attemptLog) HandleFinalize(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
	began := time.Now()
	out, metadata, err := next.HandleFinalize(ctx, in)
	service, operation := awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx)
	id, _ := awsmiddleware.GetRequestIDMetadata(metadata)
	attrs := []slog.Attr{
		slog.String("service", service), slog.String("operation", operation),
		slog.Duration("took", time.Since(began)), slog.String("request_id", id),
	}
	if err != nil {
		attrs = append(attrs, slog.String("code", codeOf(err)), slog.String("error", plain(err)))
		err = &failedAttempt{err, service, operation}
	}
	l.log.LogAttrs(ctx, slog.LevelDebug, "control call", attrs...)
	return out, metadata, err
}
