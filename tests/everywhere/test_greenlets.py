"""Greenlets, with no setting: gevent, eventlet, greenlet itself and SQLAlchemy's asynchronous sessions, the real ones."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from conftest import Place
from coveragepy.test_greenlets import EVENTLET, GEVENT, GREENLET, MODULE
from coveragepy_cores import ENGINES, KEYS, Files, coverage, report, settings
from tracing import observe

SHOP = """
import asyncio, sys
from sqlalchemy import ForeignKey, String, TypeDecorator, event, select
from sqlalchemy.ext.asyncio import AsyncAttrs, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload, validates
class Base(AsyncAttrs, DeclarativeBase): pass
class Name(TypeDecorator):
    impl = String
    cache_ok = True
    def process_bind_param(self, value, dialect):
        if value is None: return None
        return value.upper()
    def process_result_value(self, value, dialect):
        return value.title() if value else value
class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(Name)
    orders: Mapped[list["Order"]] = relationship(back_populates="customer")
class Order(Base):
    __tablename__ = "order"
    id: Mapped[int] = mapped_column(primary_key=True)
    price: Mapped[int]
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    customer: Mapped[Customer] = relationship(back_populates="orders")
    @validates("price")
    def check(self, key, price):
        if price < 0:
            raise ValueError(price)
        elif price > 1000:
            price = 1000
        return price
@event.listens_for(Order, "before_insert")
def rounded(mapper, connection, order):
    for step in (10, 100):
        if order.price % step == 0: break
    else:
        order.price += 1
def dear(session):
    for order in session.scalars(select(Order).order_by(Order.id)):
        if order.customer.name is None: continue    # loads it, which waits
        elif len(order.customer.orders) > 1 and order.price > 100:
            yield order.price
async def add(sessions, name, prices):
    try:
        async with sessions() as session, session.begin():
            customer = Customer(name=name)
            session.add(customer)
            if len(prices) > 1:
                await session.flush()
            for price in prices:
                session.add(Order(price=price, customer=customer))
    except ValueError:
        return False
    return True
async def show(sessions, name):
    async with sessions() as session:
        query = select(Customer).where(Customer.name == name).options(selectinload(Customer.orders))
        customer = (await session.scalars(query)).first()
        if customer is None:
            return
        total = sum(order.price for order in customer.orders if order.price)
        return [order.price for order in await customer.awaitable_attrs.orders], total
async def main():
    engine = create_async_engine(f"sqlite+aiosqlite:///{sys.argv[1]}")
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    sessions = async_sessionmaker(engine)
    for name, prices in [("ann", [5, 200, 3000]), (None, [20]), ("bob", [-1]), ("eve", [])]:
        await add(sessions, name, prices)
    async with sessions() as session:
        await session.run_sync(lambda it: list(dear(it)))
    await asyncio.gather(*(show(sessions, name) for name in ("ann", "bob", "eve")))
    await engine.dispose()
"""
RUN_SHOP = "import asyncio, module\nasyncio.run(module.main())\n"
PROGRAMS = {
    "greenlet": (MODULE, GREENLET),
    "gevent": (MODULE, GEVENT),
    "eventlet": (MODULE, EVENTLET),
    "sqlalchemy": (SHOP, RUN_SHOP),
}
CONCURRENCY = {"sqlalchemy": "greenlet, thread"}  # of coverage.py
PATH = os.pathsep.join([str(ENGINES), "."])


def files(place: Place) -> Files:
    """What our report says of each file."""
    found = json.loads(place.covcore("json", "-o", "-").stdout)["files"]
    return {os.path.basename(name): {key: file[key] for key in KEYS} for name, file in found.items()}


@pytest.mark.parametrize("name", PROGRAMS)
def test_lines_and_branches_are_those_of_ctrace(place: Place, tmp_path: Path, name: str) -> None:
    module, program = PROGRAMS[name]
    place.write("module.py", module)
    place.write("program.py", program)
    outcome = place.covcore(
        "run", "--source=.", "program.py", tmp_path / "ours.db", PYTHONPATH=PATH, PYTHONWARNINGS="ignore"
    )
    assert outcome.status == 0, outcome.stderr
    settings(place, f"concurrency = {CONCURRENCY.get(name, name)}\nsource = .\n")
    coverage(place, "ctrace", "run", "program.py", tmp_path / "theirs.db")
    ours, theirs = files(place)["module.py"], report(place)["module.py"]
    assert ours == theirs
    assert len(ours["executed_branches"]) > 10
    assert ours["missing_lines"] == []


@pytest.mark.parametrize("name", PROGRAMS)
def test_arcs_are_those_of_events_that_never_end(tmp_path: Path, name: str) -> None:
    """In code of one file, by CPython's own branch events; what coverage.py takes for one statement included."""
    module, program = PROGRAMS[name]
    path = tmp_path / "program.py"
    text = (module + program).replace("module.", "")
    text = re.sub(r", module\b|\bmodule, |^import module$", "", text, flags=re.MULTILINE)
    database = tmp_path / "it.db"
    path.write_text(text.replace("sys.argv[1]", repr(str(database))))
    ways = {}
    for core in ("covcore", "arcs"):
        database.unlink(missing_ok=True)
        ways[core] = observe(core, path, env={"PYTHONPATH": PATH, "PYTHONWARNINGS": "ignore"})
    ours, theirs = (
        {code: set(map(tuple, arcs)) for code, arcs in found[""].items()}
        for found in (ways["covcore"]["arcs"], ways["arcs"])
    )
    assert ours == theirs
    assert sum(map(len, ours.values())) > 10
