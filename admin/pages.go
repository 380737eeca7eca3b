package admin

import (
	"errors"
	"fmt"
	"iter"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// errTokenAgain ends a listing that would go round in circles. Ending it without
// an error would pass a part for the whole; botocore refuses such a token too
// (PaginationError).
var errTokenAgain = errors.New("the service has given the same page token twice")

// paged yields the items of all pages. fetch gets the page at a token, the zero
// value being the first, and returns the token of the next one, the zero value
// being none. A page may be empty and have a next one. An error ends the sequence;
// it begins with what is done.
func paged[T any, K comparable](what string, fetch func(K) (items []T, next K, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var token, none K
		for seen := map[K]bool{}; ; seen[token] = true {
			items, next, err := fetch(token)
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if token = next; seen[token] {
				err = errTokenAgain
			}
			if err != nil {
				var noItem T
				yield(noItem, fmt.Errorf("%s: %w", what, err))
			}
			if err != nil || token == none {
				return
			}
		}
	}
}

// once leaves out what has come before, by its key: what is listed may move on to
// the next page while the pages are read.
func once[T any, K comparable](items iter.Seq2[T, error], key func(*T) K) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		seen := map[K]bool{}
		for item, err := range items {
			k := key(&item)
			if err == nil && seen[k] {
				continue
			}
			seen[k] = true
			if !yield(item, err) {
				return
			}
		}
	}
}

// controlAttempts are enough for a minute or so, with the SDK's back-off.
const controlAttempts = 10

// Patient returns settings for calls of the control side that are worth waiting
// for: they are made up to ten times, with the SDK's back-off, where its
// default is three. What somebody has set otherwise stays.
func Patient(cfg aws.Config) aws.Config {
	if cfg.Retryer == nil && cfg.RetryMaxAttempts == 0 {
		cfg.RetryMaxAttempts = controlAttempts
	}
	return cfg
}
