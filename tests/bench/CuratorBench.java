// SPDX-License-Identifier: Apache-2.0
// CuratorBench SERVERS mutex|semaphore|barrier WAITERS HANDOFFS HOLD_MS: Curator's recipes.
// Hand-off: from the start of a release to the return of the next acquire, ms. Barrier:
// from the last enter() to the last enter()'s return, s. One JSON object. Waiters share
// a few sessions, as threads of one process would.
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.retry.RetryOneTime;

public class CuratorBench {
    static CuratorFramework[] clients;
    static String kind;
    static int waiters, handoffs;
    static double holdMs;

    static Thread start(Runnable work) {
        Thread thread = new Thread(null, work, "worker", 256 * 1024);
        thread.setDaemon(true);
        thread.start();
        return thread;
    }

    static String spread(List<Double> values) {
        Collections.sort(values);
        int last = values.size() - 1;
        return String.format(Locale.ROOT,
            "{\"count\":%d,\"p50\":%.4f,\"p90\":%.4f,\"p99\":%.4f,\"max\":%.4f}",
            values.size(), values.get((int) (.5 * last + .5)), values.get((int) (.9 * last + .5)),
            values.get((int) (.99 * last + .5)), values.get(last));
    }

    static final List<Double> samples = Collections.synchronizedList(new ArrayList<>());
    static final ConcurrentLinkedQueue<Long> released = new ConcurrentLinkedQueue<>();
    static final AtomicInteger queued = new AtomicInteger();
    static final CountDownLatch enough = new CountDownLatch(1);

    static void acquired() throws Exception {
        long now = System.nanoTime();
        Long from = released.poll();
        if (from != null)
            samples.add((now - from) / 1e6);
        if (samples.size() >= handoffs)
            enough.countDown();
        Thread.sleep((long) (queued.get() > waiters ? holdMs : 50));
        released.add(System.nanoTime());
    }

    static void contend(CuratorFramework client) {
        try {
            while (enough.getCount() > 0) {
                if (kind.equals("mutex")) {
                    InterProcessMutex mutex = new InterProcessMutex(client, "/curator-mutex");
                    queued.incrementAndGet();
                    mutex.acquire();
                    acquired();
                    mutex.release();
                } else {
                    InterProcessSemaphoreV2 semaphore =
                        new InterProcessSemaphoreV2(client, "/curator-semaphore", 1);
                    queued.incrementAndGet();
                    Lease lease = semaphore.acquire();
                    acquired();
                    semaphore.returnLease(lease);
                }
            }
        } catch (Exception e) {
            if (enough.getCount() > 0)
                System.err.println(e);
        }
    }

    static String handoff() throws Exception {
        for (int i = 0; i <= waiters; i++) {
            CuratorFramework client = clients[i % clients.length];
            start(() -> contend(client));
        }
        enough.await(120, TimeUnit.SECONDS);
        List<Double> taken = new ArrayList<>(samples);
        return spread(taken.subList(Math.min(5, taken.size() / 4), taken.size()));
    }

    static String barrier() throws Exception {
        String path = "/curator-barrier-" + waiters;
        AtomicLong entered = new AtomicLong(), last = new AtomicLong();
        CountDownLatch left = new CountDownLatch(waiters);
        for (int i = 0; i < waiters; i++) {
            CuratorFramework client = clients[i % clients.length];
            boolean latest = i == waiters - 1;
            start(() -> {
                try {
                    DistributedDoubleBarrier barrier =
                        new DistributedDoubleBarrier(client, path, waiters);
                    if (latest) {
                        while (client.checkExists().forPath(path) == null
                               || client.checkExists().forPath(path).getNumChildren() < waiters - 1)
                            Thread.sleep(200);
                        Thread.sleep(1000);
                        entered.set(System.nanoTime());
                    }
                    barrier.enter();
                    last.accumulateAndGet(System.nanoTime(), Math::max);
                    left.countDown();
                } catch (Exception e) {
                    System.err.println(e);
                }
            });
        }
        if (!left.await(180, TimeUnit.SECONDS))
            return String.format("{\"failed\":\"%d of %d were released within 180 s\"}",
                                 waiters - left.getCount(), waiters);
        return String.format(Locale.ROOT, "{\"size\":%d,\"sent_to_released_s\":%.4f}", waiters,
                             (last.get() - entered.get()) / 1e9);
    }

    public static void main(String[] args) throws Exception {
        kind = args[1];
        waiters = Integer.parseInt(args[2]);
        handoffs = Integer.parseInt(args[3]);
        holdMs = Double.parseDouble(args[4]);
        clients = new CuratorFramework[Math.min(8, waiters + 1)];
        for (int i = 0; i < clients.length; i++) {
            clients[i] = CuratorFrameworkFactory.newClient(args[0], 30000, 15000,
                                                           new RetryOneTime(1000));
            clients[i].start();
            clients[i].blockUntilConnected();
        }
        System.out.println(kind.equals("barrier") ? barrier() : handoff());
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }
}
