#!/usr/bin/perl
# The published rules of conlleval (https://www.clips.uantwerpen.be/conll2000/chunking/output.html and the EACL 1999
# paper of Tjong Kim Sang and Veenstra), written anew for these tests: the original states no licence. Reads many small
# files at once, each after a line "=== OPTIONS", and prints for each what conlleval prints for it.
use strict;
use warnings;

my %starts = map { $_ => 1 } qw(BB IB OB OI EE EI OE);
my %ends   = map { $_ => 1 } qw(BB BO IB IO EE EI EO);

sub starts {
    my ($before, $after) = @_;
    return 1 if $starts{"$before->[0]$after->[0]"} or $after->[0] =~ /^[][]$/;
    return $after->[0] !~ /^[O.]$/ && $before->[1] ne $after->[1];
}

sub ends {
    my ($before, $after) = @_;
    return 1 if $ends{"$before->[0]$after->[0]"} or $before->[0] =~ /^[][]$/;
    return $before->[0] !~ /^[O.]$/ && $before->[1] ne $after->[1];
}

sub parsed {
    my ($tag, $raw, $outside) = @_;
    if ($raw) { $tag = $tag eq $outside || $tag eq 'O' ? 'O' : "B-$tag"; }
    my ($prefix, $type) = $tag =~ /^([^-]*)-(.*)$/ ? ($1, $2) : ($tag, '');
    return [$prefix, $type eq '0' ? '' : $type];
}

sub percentages {
    my ($correct, $found, $wanted) = map { $_ || 0 } @_;
    my $precision = $found  ? 100 * $correct / $found  : 0;
    my $recall    = $wanted ? 100 * $correct / $wanted : 0;
    my $both      = $precision + $recall;
    return ($precision, $recall, $both ? 2 * $precision * $recall / $both : 0);
}

sub scored {
    my ($latex, $raw, $outside, @rows) = @_;
    my @before = (['O', ''], ['O', '']);
    my (%wanted, %found, %correct, @all);
    my ($open, $tokens, $right) = (0, 0, 0);
    for my $row (@rows) {
        my @now = map { parsed($_, $raw, $outside) } $row ? @$row : ('O', 'O');
        my @end   = map { ends($before[$_], $now[$_]) ? 1 : 0 } 0, 1;
        my @start = map { starts($before[$_], $now[$_]) ? 1 : 0 } 0, 1;
        my $alike = $now[0][1] eq $now[1][1];
        if ($open) {
            if ($end[0] && $end[1]) { $correct{$before[0][1]}++; $all[0]++; $open = 0; }
            elsif ($end[0] || $end[1] || !$alike) { $open = 0; }
        }
        $open = 1 if $start[0] && $start[1] && $alike;
        if ($start[1]) { $found{$now[1][1]}++;  $all[1]++; }
        if ($start[0]) { $wanted{$now[0][1]}++; $all[2]++; }
        if ($row) { $tokens++; $right++ if $alike && $now[0][0] eq $now[1][0]; }
        @before = @now;
    }
    if ($open) { $correct{$before[0][1]}++; $all[0]++; }
    $_ ||= 0 for @all[0 .. 2];

    my @types = sort keys %{{ %wanted, %found }};
    unshift @types, '' if exists $wanted{''} && exists $found{''};    # its sorting leaves an empty name twice
    if ($latex) {
        print '        & Precision &  Recall  & F$_{\beta=1} \\\\\hline';
        printf "\n%-7s &  %6.2f\\%% & %6.2f\\%% & %6.2f \\\\", $_, percentages($correct{$_}, $found{$_}, $wanted{$_})
            for @types;
        print "\\hline\n";
        printf "Overall &  %6.2f\\%% & %6.2f\\%% & %6.2f \\\\\\hline\n", percentages(@all);
        return;
    }
    print "processed $tokens tokens with $all[2] phrases; found: $all[1] phrases; correct: $all[0].\n";
    printf "accuracy: %6.2f%%; precision: %6.2f%%; recall: %6.2f%%; FB1: %6.2f\n", 100 * $right / $tokens,
        percentages(@all);
    printf "%17s: precision: %6.2f%%; recall: %6.2f%%; FB1: %6.2f  %d\n", $_,
        percentages($correct{$_}, $found{$_}, $wanted{$_}), $found{$_} || 0
        for @types;
}

my ($options, @rows);
while (my $line = <STDIN>) {
    chomp $line;
    if ($line =~ /^=== ?(.*)/) {
        scored(@$options, @rows) if $options;
        my %set = map { split /:/, $_, 2 } split / /, $1;
        $options = [$set{latex} || 0, $set{raw} || 0, $set{outside} || 'O'];
        @rows = ();
        print "===\n";
        next;
    }
    my @columns = split / /, $line;
    push @rows, @columns ? [@columns[-2, -1]] : undef;
}
scored(@$options, @rows) if $options;
