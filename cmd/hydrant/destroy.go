package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/spf13/cobra"

	"github.com/hydrant-go/hydrant/admin"
	"github.com/hydrant-go/hydrant/infra"
	"github.com/hydrant-go/hydrant/internal/ui"
)

type destroyOptions struct {
	stack       string
	yes, noWait bool
}

func (a *app) destroy() *cobra.Command {
	var o destroyOptions
	cmd := &cobra.Command{
		Use:   "destroy",
		Short: "Remove what hydrant deploy has set up, with the objects in its bucket",
		Long: `Remove what hydrant deploy has set up, with all objects in its bucket and what the
delivery stream has buffered. It shows what that is and asks first; where there is no
terminal it needs --yes. Stop what sends to the stream before.

An interrupt leaves CloudFormation at work, and the same command goes on. Resources that
the template keeps (DeletionPolicy Retain) stay, with what they hold. A stack that is not
there is no error.`,
		Example: `  hydrant destroy
  hydrant destroy --stack events --yes`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runDestroy(cmd.Context(), &o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.stack, "stack", infra.DefaultStack, "name of the stack")
	f.BoolVar(&o.yes, "yes", false, "do not ask")
	f.BoolVar(&o.noWait, "no-wait", false, "empty the bucket, and do not wait until CloudFormation is done")
	return cmd
}

func (a *app) runDestroy(ctx context.Context, o *destroyOptions) error {
	if err := infra.CheckStackName(o.stack); err != nil {
		return usageError("--stack: %w", err)
	}
	if !o.yes && !isTerminal(a.stdin) {
		return usageError("destroy asks before it removes anything, and there is no terminal to ask on\nhint: --yes removes without asking")
	}
	cfg, err := a.aws(ctx)
	if err != nil {
		return err
	}
	if !o.yes {
		inventory, err := infra.Inspect(ctx, cfg, o.stack)
		if errors.Is(err, admin.ErrNoStack) {
			return a.showDestroyed(&infra.Destroyed{Stack: o.stack, Region: cfg.Region, Buckets: []infra.Bucket{}, Kept: []infra.Resource{}}, o)
		}
		if err != nil {
			return err
		}
		a.showInventory(inventory)
		if yes, err := a.ask(ctx, "Remove all of this for good? [y/N] "); err != nil {
			return &exitError{exitInterrupted, errors.New("interrupted: nothing was removed")}
		} else if !yes {
			return errors.New("nothing was removed")
		}
	}
	return a.destroyStack(ctx, cfg, o)
}

func (a *app) destroyStack(ctx context.Context, cfg aws.Config, o *destroyOptions) error {
	progress := a.stackProgress()
	done, err := infra.Destroy(ctx, infra.DestroyOptions{AWS: cfg, Stack: o.stack, NoWait: o.noWait, Callbacks: progress.callbacks()})
	progress.list.Stop()
	if err != nil {
		return leftToItself(ctx, err, "the same command goes on")
	}
	return a.showDestroyed(done, o)
}

// showInventory tells what is going to be removed.
func (a *app) showInventory(inv *infra.Inventory) {
	a.tell("Stack %s in %s, account %s, is %s:\n", inv.Stack, inv.Region, inv.Account, inv.Status)
	t := ui.NewTable(a.stderr)
	for _, name := range inv.Streams {
		t.Row("  delivery stream", name, "with what it has buffered")
	}
	for _, b := range inv.Buckets {
		more := ""
		if b.More {
			more = "more than "
		}
		t.Row("  bucket", b.Name, "with "+more+held(b.Emptied))
	}
	byType := map[string][]infra.Resource{}
	for _, r := range inv.Others {
		byType[r.Type] = append(byType[r.Type], r)
	}
	for _, kind := range slices.Sorted(maps.Keys(byType)) {
		if all := byType[kind]; len(all) == 1 {
			t.Row("  "+kind, all[0].PhysicalID)
		} else {
			t.Row("  "+kind, fmt.Sprintf("%d of them", len(all)))
		}
	}
	for _, r := range inv.Kept {
		t.Row("  "+r.Type, r.PhysicalID, "stays")
	}
	_ = t.Flush() // the question comes all the same
	a.tell("")
}

func (a *app) showDestroyed(d *infra.Destroyed, o *destroyOptions) error {
	if a.json {
		return a.printJSON(d)
	}
	if !d.Found {
		fmt.Fprintf(a.stdout, "there is no stack %s in %s: nothing to remove\n", d.Stack, d.Region)
		return nil
	}
	for _, b := range d.Buckets {
		if b.Emptied != (admin.Emptied{}) {
			fmt.Fprintf(a.stdout, "removed %s from bucket %s\n", held(b.Emptied), b.Name)
		}
	}
	for _, r := range d.Kept {
		fmt.Fprintf(a.stdout, "kept %s %s\n", r.Type, r.PhysicalID)
	}
	if o.noWait {
		fmt.Fprintf(a.stdout, "stack %s is being deleted\n", d.Stack)
		return nil
	}
	fmt.Fprintf(a.stdout, "deleted stack %s in %s\n", d.Stack, d.Region)
	return nil
}
