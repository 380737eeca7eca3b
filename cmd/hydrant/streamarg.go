package main

import (
	"context"

	"github.com/hydrant-go/hydrant/admin"
	"github.com/hydrant-go/hydrant/wire"
)

// streamNames are the delivery streams that a verb's [STREAM] argument means: that one,
// which need not exist, or without it all of the account and region.
func (a *app) streamNames(ctx context.Context, c admin.Lister, args []string) (names []string, all bool, err error) {
	if len(args) > 0 {
		if err := wire.CheckStreamName(args[0]); err != nil {
			return nil, false, usageError("%w", err)
		}
		return args[:1], false, nil
	}
	for name, err := range admin.Streams(ctx, c) {
		if err != nil {
			return nil, true, err
		}
		names = append(names, name)
	}
	return names, true, nil
}
