from invoices_assets_tests import test_secret_scan as t
import pytest
def leaky():
    t.impatient()
    from invoices_assets.extract.redaction import Redactor
    Redactor.text=lambda self,x:x
    Redactor.data=lambda self,x:x
    import logging; logging.basicConfig(level=logging.DEBUG)
@pytest.mark.parametrize("kind", ["401 that echoes the key","records that hold the key","rejected records that hold the key","libraries that log all they do","an error of another library","a redirect to another host"])
def test_m(kind, tmp_path, monkeypatch):
    what=t.KINDS[kind]; 
    content=t.config(); place=t.PLACES["the query"]; content["client"]["auth"]=place.auth
    key=t.ODD
    with t.serve(t.Book.of(25, what.change), t.faults.Faults(*what.faults()), t.Contract(key=place.key), key) as server:
        run = t.Deployment(tmp_path, server.url, key, content).run(leaky)
    b=t.betrayals(tmp_path,key)
    print(kind, len(b), [x[-150:] for x in b[:6]])
    assert b
